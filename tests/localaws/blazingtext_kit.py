"""What the tests of BlazingText share: sentences whose label can be learnt, and running the training on them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from localaws.images.blazingtext.parameters import Parameters
from localaws.images.blazingtext.train import run

WORDS = {"-1": "awful poor returned itchy", "0": "okay average fine plain", "1": "love great perfect soft"}
FILLER = ["the", "dress", "shirt", "i", "this", "is", "it", "was", "very", "and", "color", "size", "with", "my"]

QUICK = {"mode": "supervised", "epochs": "8", "learning_rate": "0.5", "min_count": "1", "vector_dim": "10"} | {
    "buckets": "1000"
}


def sentence(label: str, generator: random.Random) -> str:
    words = [*generator.sample(WORDS[label].split(), 2), *generator.choices(FILLER, k=6)]
    generator.shuffle(words)
    return " ".join(words)


def lines(count: int, seed: int = 1) -> str:
    """So many labelled sentences, of each label alike."""
    generator = random.Random(seed)
    labels = [sorted(WORDS)[number % 3] for number in range(count)]
    return "".join(f"__label__{label} {sentence(label, generator)}\n" for label in labels)


def manifest(count: int, seed: int = 1) -> str:
    """The same as an augmented manifest."""
    generator = random.Random(seed)
    labels = [sorted(WORDS)[number % 3] for number in range(count)]
    records = [{"source": sentence(label, generator), "label": int(label)} for label in labels]
    return "".join(json.dumps(record) + "\n" for record in records)


def train(
    root: Path,
    hyperparameters: dict[str, str],
    channels: dict[str, str | bytes | dict[str, str]],
    *,
    attributes: list[str] | None = None,
    hosts: int = 1,
) -> Path:
    """Run the training on channels, each the content of one file or of several by name; the model's folder."""
    for name, content in channels.items():
        for file, text in (content if isinstance(content, dict) else {f"{name}.txt": content}).items():
            path = root / "input" / "data" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        (root / "input" / "data" / name).mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"TrainingInputMode": "File"} | ({"AttributeNames": attributes} if attributes else {})
    run(Parameters.parse(hyperparameters), dict.fromkeys(channels, config), hosts, root)
    return root / "model"
