"""
The second processing job: token ids, made once for all candidates.

Inputs ``split`` and ``analysis``; outputs ``train`` and ``validation`` (Parquet with ``text``, ``label_id`` and
``input_ids``), ``dataset`` (``dataset.json``: what a candidate and its model server must know of the data) and
``processor`` (``model.tar.gz``: the tokenizer and ``dataset.json``, which make of texts what the candidates take).
"""

from __future__ import annotations

import json
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import AutoTokenizer

from localaws.images.autopilot.errors import AutopilotError
from localaws.images.autopilot.kinds import MAX_TOKENS


def make(base_model: str, folder: Path) -> None:
    """
    Tokenise both parts.

    :param base_model: a name on the hub or a folder.
    :param folder: ``/opt/ml/processing``.
    :raises AutopilotError: there is no such base model.
    """
    began = time.monotonic()
    analysis = json.loads((folder / "input" / "analysis" / "analysis.json").read_text())
    classes = [entry["label"] for entry in analysis["classes"]]
    tokenizer = load_tokenizer(base_model)
    for name in ("train", "validation"):
        table = pq.read_table(folder / "input" / "split" / f"{name}.parquet")
        texts = table["text"].to_pylist()
        ids = tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        places = [classes.index(label) for label in table["label"].to_pylist()]
        columns = {"text": texts, "label_id": pa.array(places, pa.int64()), "input_ids": ids}
        target = folder / "output" / name
        target.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), target / "part-0.parquet")
        tokens = sum(map(len, ids))
        print(f"{time.monotonic() - began:.1f} s: {name}: {len(ids)} texts, {tokens} tokens", flush=True)
    definition = {
        "classes": classes,
        "problem_type": analysis["problem_type"],
        "columns": analysis["columns"],
        "target_column": analysis["target_column"],
        "text_column": analysis["text_column"],
        "max_tokens": MAX_TOKENS,
        "base_model": base_model,
    }
    (folder / "output" / "dataset").mkdir(parents=True, exist_ok=True)
    (folder / "output" / "dataset" / "dataset.json").write_text(json.dumps(definition, indent=2))
    _write_processor(tokenizer, folder / "output")


def _write_processor(tokenizer: Any, output: Path) -> None:
    (output / "processor").mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as made,
        tarfile.open(output / "processor" / "model.tar.gz", "w:gz") as archive,
    ):
        tokenizer.save_pretrained(made)
        archive.add(made, "tokenizer")
        archive.add(output / "dataset" / "dataset.json", "dataset.json")


def load_tokenizer(base_model: str) -> Any:
    """
    Load the base model's tokenizer.

    :raises AutopilotError: it cannot be loaded.
    """
    try:
        return AutoTokenizer.from_pretrained(base_model)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise AutopilotError(f"the base model {base_model!r} cannot be loaded: {str(error).splitlines()[0]}") from error
