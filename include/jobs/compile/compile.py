"""
Processing job: a trained model -> the same model in eight bits, for ONNX Runtime on CPUs.

Reads the model's archive in ``INPUT/model/`` and the Parquet parts of the validation split in ``INPUT/validation/``.
Exports the model to ONNX and quantises it (weights beforehand, activations while it runs) in several ways. Original and
candidates answer the whole split by their archives' own ``code/``, as an endpoint would. Of the candidates that lose no
more than ``--most-loss`` of the original's accuracy, the one that agrees with it most is written::

    OUTPUT/model/model.tar.gz    model.onnx, the original's configuration and tokenizer, code/ that serves it
    OUTPUT/report/report.json    {"original": {"bytes", "accuracy", "milliseconds"}, "compiled": {..., "agreement",
                                  "per_channel", "reduce_range"}, "tried": [...], "reviews", "seconds", ...}

Exit status 2, and one sentence, when the input cannot be used or all candidates lose more; nothing is written then.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dependencies
import numpy as np
import pyarrow as pa
from exporting import QUANTISATIONS, Quantisation, export, quantise
from job import BadInput, is_synthetic, processing_parser, run
from judging import read_reviews
from model_archive import pack, unpack

HERE = Path(__file__).parent
#: what serves a compiled model, and what its container has to install for that.
SERVING = ("inference.py", "classifier.py", "model_input.py", "ngrams.py")
MODEL, SERVING_REQUIREMENTS = "model.onnx", "onnxruntime>={version}\n"
#: files of the original that the compiled model does without.
WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*", "training_args.bin")
#: more tokens than any classifier takes.
LONGEST = 1_000_000
NEEDED = ("config.json", "tokenizer.json", "tokenizer_config.json")


def check_layout(model: Path) -> None:
    """
    Check that the archive is one of the train job.

    :raises BadInput: it is not in Hugging Face layout with a fast tokenizer.
    """
    if missing := [name for name in NEEDED if not (model / name).is_file()]:
        raise BadInput(f"the model archive has no {' and no '.join(missing)}: is it one of the train job?")
    tokenizer = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    # Transformers writes 1e30 where nobody has said how long an input may be.
    if not 0 < tokenizer.get("model_max_length", 0) < LONGEST:
        raise BadInput("the tokenizer of the model archive has no model_max_length: is it one of the train job?")


def answers(model: Path, records: Sequence[str]) -> dict[str, Any]:
    """Return what the code in the model's archive answers, see ``answering.py``. :raises BadInput: it fails."""
    # -B: what Python compiles would be packed with the rest.
    command = [sys.executable, "-B", str(HERE / "answering.py"), str(model)]
    done = subprocess.run(command, input="\n".join(records), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise BadInput(f"the code of the model archive fails: {said}")
    figures: dict[str, Any] = json.loads(done.stdout)
    if len(figures["answers"]) != len(records):
        raise BadInput(f"the code of the model archive gives {len(figures['answers'])} answers to {len(records)} lines")
    return figures


def accuracy(figures: dict[str, Any], sentiments: np.ndarray) -> float:
    """Return the share of the answers that are right."""
    return float(np.mean([label for label, _ in figures["answers"]] == sentiments))


def agreement(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the share of the reviews that get the same sentiment from both."""
    pairs = zip(one["answers"], other["answers"], strict=True)
    return float(np.mean([mine[0] == theirs[0] for mine, theirs in pairs]))


def archive_folder(original: Path, target: Path) -> Path:
    """Make ``target`` what the compiled model's archive holds, but for the model itself."""
    import onnxruntime

    shutil.copytree(original, target, ignore=shutil.ignore_patterns("code", *WEIGHTS))
    (target / "code").mkdir()
    for name in SERVING:
        shutil.copyfile(HERE / name, target / "code" / name)
    requirements = SERVING_REQUIREMENTS.format(version=onnxruntime.__version__)
    (target / "code" / "requirements.txt").write_text(requirements, encoding="utf-8")
    return target


class Compilation:
    """
    One model and its candidates.

    :param original: the unpacked archive.
    :param reviews: of the validation split.
    :param scratch: a folder for everything in between.
    """

    def __init__(self, original: Path, reviews: pa.Table, scratch: Path) -> None:
        self.original, self.scratch = original, scratch
        self.records = [json.dumps({"features": [text]}) for text in reviews["review_body"].to_pylist()]
        self.sentiments = reviews["sentiment"].to_numpy()
        self.figures = answers(original, self.records)
        self.accuracy = accuracy(self.figures, self.sentiments)

    def candidates(self) -> list[dict[str, Any]]:
        """Return all candidates, the one that agrees most with the original first; ``folder`` is where each is."""
        export(self.original, self.scratch / "float.onnx")
        tried = [self.candidate(at, quantisation) for at, quantisation in enumerate(QUANTISATIONS)]
        return sorted(tried, key=lambda one: (-one["agreement"], -one["accuracy"]))

    def candidate(self, number: int, quantisation: Quantisation) -> dict[str, Any]:
        """Quantise in one way, and ask."""
        folder = archive_folder(self.original, self.scratch / f"candidate-{number}")
        quantise(self.scratch / "float.onnx", folder / MODEL, quantisation)
        figures = answers(folder, self.records)
        return {
            "folder": folder,
            **asdict(quantisation),
            "accuracy": accuracy(figures, self.sentiments),
            "agreement": agreement(figures, self.figures),
            "milliseconds": figures["milliseconds"],
        }

    def best(self, tried: Sequence[dict[str, Any]], most_loss: float) -> dict[str, Any]:
        """Return the candidate to keep. :raises BadInput: all lose more accuracy than ``most_loss``."""
        # A difference of floats: 0.75 - 0.744 is more than 0.006.
        kept = [one for one in tried if self.accuracy - one["accuracy"] <= most_loss + 1e-9]
        if kept:
            return kept[0]
        most = max(one["accuracy"] for one in tried)
        raise BadInput(
            f"in eight bits the accuracy falls from {self.accuracy:.4f} to {most:.4f} at best on {len(self.records)} "
            f"validation reviews, by more than {most_loss:g}: serve the original, or allow more by --most-loss"
        )


def compile_model(source: Path, target: Path, most_loss: float, synthetic: bool) -> dict[str, Any]:
    """Compile and write archive and report below ``target``, or nothing; the report."""
    began = time.monotonic()
    dependencies.ensure()
    reviews = read_reviews(source / "validation", "validation")
    target.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".compile-", dir=target))
    try:
        original = scratch / "original"
        unpack(source / "model", original)
        check_layout(original)
        compilation = Compilation(original, reviews, scratch)
        tried = compilation.candidates()
        best = compilation.best(tried, most_loss)
        (archive := scratch / "out" / "model.tar.gz").parent.mkdir()
        pack(best["folder"], archive)
        before = {
            "bytes": sum(path.stat().st_size for path in (source / "model").rglob("*.tar.gz")),
            "accuracy": compilation.accuracy,
            "milliseconds": compilation.figures["milliseconds"],
        }
        after = {"bytes": archive.stat().st_size, **{key: value for key, value in best.items() if key != "folder"}}
        report = {
            "original": before,
            "compiled": after,
            "tried": [{key: value for key, value in one.items() if key != "folder"} for one in tried],
            "most_loss": most_loss,
            "reviews": len(reviews),
            "synthetic": synthetic,
            "seconds": round(time.monotonic() - began, 1),
        }
        for name in ("model", "report"):
            (target / name).mkdir(exist_ok=True)
        archive.replace(target / "model" / archive.name)
        (target / "report" / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    finally:
        shutil.rmtree(scratch)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("a trained model -> the same in eight bits, for ONNX Runtime")
    parser.add_argument("--most-loss", type=share, default=0.006, help="of accuracy on the validation split")
    options = parser.parse_args(arguments)

    def work() -> None:
        report = compile_model(options.input, options.output, options.most_loss, is_synthetic(options))
        before, after = report["original"], report["compiled"]
        print(
            f"accuracy {before['accuracy']:.4f} -> {after['accuracy']:.4f}, agreement {after['agreement']:.4f} on "
            f"{report['reviews']} reviews; {before['bytes'] / 1e6:.1f} -> {after['bytes'] / 1e6:.1f} MB; "
            f"{before['milliseconds']} -> {after['milliseconds']} ms a review; {report['seconds']} s"
        )

    return run("compile", work, options.reason)


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share: it must lie between 0 and 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
