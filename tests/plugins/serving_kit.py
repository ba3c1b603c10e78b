"""A model that is small enough for a test to deploy."""

from __future__ import annotations

import io
import tarfile

INFERENCE = """
import json, pathlib

def model_fn(folder):
    word = pathlib.Path(folder, "word.txt").read_text()
    if word == "broken":
        raise ValueError("this model is broken")
    return word

def input_fn(body, content_type):
    text = body.decode() if isinstance(body, bytes) else body
    return [json.loads(line)["features"][0] for line in text.splitlines()]

def predict_fn(texts, word):
    if "break" in texts:
        raise ValueError("cannot read break")
    return [{"word": word, "length": len(text)} for text in texts]

def output_fn(rows, accept):
    return "\\n".join(json.dumps(row) for row in rows)
"""


def packed_model(word: str) -> bytes:
    """A ``model.tar.gz`` that answers ``word``, or does not load if that is "broken"."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, text in {"word.txt": word, "code/inference.py": INFERENCE}.items():
            member = tarfile.TarInfo(path)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()
