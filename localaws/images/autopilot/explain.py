"""
The last processing job: why the best candidate answers as it does, and how good it is.

Inputs ``model`` (``model.tar.gz``) and ``validation``; outputs ``explainability`` (``analysis.json`` and
``explanations_shap/out.jsonl`` in Clarify's shape, a report) and ``insights`` (``statistics.json``, a report).
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localaws.core.archive import extract
from localaws.images.autopilot import insights, package, shapley
from localaws.images.autopilot.kinds import SEED
from localaws.images.autopilot.shapley import Explanation
from localaws.images.autopilot.train import Part
from localaws.images.clarify import html, pdf
from localaws.images.clarify.content import Block, Heading, Paragraph, Table

#: texts that are explained, and orders of the words of each.
_TEXTS, _PERMUTATIONS = 24, 4
_TOP_WORDS = 20


def explain(candidate: str, folder: Path) -> None:
    """
    Explain and judge a candidate.

    :param folder: ``/opt/ml/processing``.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as unpacked:
        extract(folder / "input" / "model" / "model.tar.gz", Path(unpacked))
        classifier = package.load(Path(unpacked))
    validation = Part.read(folder / "input" / "validation")
    odds = classifier(validation.texts)
    kind = classifier.dataset["problem_type"]
    found = insights.statistics(validation.labels, odds, classifier.classes, kind)
    _write_insights(found, classifier.classes, candidate, folder / "output" / "insights")
    print(f"{time.monotonic() - began:.1f} s: judged on {len(validation.texts)} texts", flush=True)
    chosen = np.random.default_rng(SEED).permutation(len(validation.texts))[:_TEXTS]
    explained = [
        shapley.explain(classifier, validation.texts[row], permutations=_PERMUTATIONS, seed=SEED) for row in chosen
    ]
    column = classifier.dataset["text_column"]
    _write_explanations(explained, classifier.classes, column, candidate, folder / "output" / "explainability")
    print(f"{time.monotonic() - began:.1f} s: explained {len(explained)} texts", flush=True)


def _write_insights(found: dict[str, Any], classes: Sequence[str], candidate: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "statistics.json").write_text(json.dumps(found, indent=2))
    (quality,) = (value for name, value in found.items() if name.endswith("_metrics"))
    matrix = quality["confusion_matrix"]
    rows = [[actual, *(f"{matrix[actual][predicted]:,}" for predicted in classes)] for actual in classes]
    metrics = [[name.replace("_", " "), f"{entry['value']:.4f}"] for name, entry in quality.items() if "value" in entry]
    items = found["dataset"]["item_count"]
    blocks: list[Block] = [
        Heading(f"Model insights: {candidate}", 1),
        Paragraph(f"All figures are of the {items:,} texts of the validation part."),
        Heading("Confusion matrix"),
        Paragraph("A row has the texts of an actual class, a column those that the model gave a class to."),
        Table(["actual", *classes], rows, frozenset(range(1, len(classes) + 1))),
        Heading("Metrics"),
        Table(["metric", "value"], metrics, frozenset({1})),
    ]
    _report(blocks, f"Model insights: {candidate}", folder)


def _write_explanations(
    explained: Sequence[Explanation], classes: Sequence[str], column: str, candidate: str, folder: Path
) -> None:
    (folder / "explanations_shap").mkdir(parents=True, exist_ok=True)
    with open(folder / "explanations_shap" / "out.jsonl", "w", encoding="utf-8") as file:
        for each in explained:
            file.write(f"{json.dumps(_line(each, column), ensure_ascii=False)}\n")
    labels = {
        f"label{number}": {
            "label": name,
            # Over the texts, of what all their words together add.
            "global_shap_values": {column: float(np.mean([abs(each.values[:, number].sum()) for each in explained]))},
            "expected_value": float(explained[0].expected[number]),
        }
        for number, name in enumerate(classes)
    }
    analysis = {"version": "1.0", "explanations": {"kernel_shap": labels}}
    (folder / "analysis.json").write_text(json.dumps(analysis, indent=2, ensure_ascii=False))
    blocks: list[Block] = [
        Heading(f"Explainability: {candidate}", 1),
        Paragraph(
            f"Shapley values of the words of {len(explained)} validation texts: what a word adds to the probability of "
            f"a class, estimated from {2 * _PERMUTATIONS} orders in which words are added to an empty text. "
            f"Nothing but the column {column} is read by the model."
        ),
    ]
    for number, name in enumerate(classes):
        words = _top_words(explained, number)
        blocks += [
            Heading(f"What speaks for {name}"),
            Table(["word", "mean of what it adds"], [[word, f"{value:+.4f}"] for word, value in words], frozenset({1})),
        ]
    _report(blocks, f"Explainability: {candidate}", folder)


def _line(each: Explanation, column: str) -> dict[str, Any]:
    attributions, start = [], 0
    for piece, values in zip(each.pieces, each.values, strict=True):
        description = {"partial_text": piece.rstrip(), "start_idx": start}
        attributions.append({"attribution": [float(value) for value in values], "description": description})
        start += len(piece)
    return {"explanations": [{"feature_name": column, "data_type": "free_text", "attributions": attributions}]}


def _top_words(explained: Sequence[Explanation], number: int) -> list[tuple[str, float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for each in explained:
        for piece, values in zip(each.pieces, each.values, strict=True):
            found[piece.strip().lower()].append(float(values[number]))
    means = {word: float(np.mean(values)) for word, values in found.items()}
    return sorted(means.items(), key=lambda item: -item[1])[:_TOP_WORDS]


def _report(blocks: Sequence[Block], title: str, folder: Path) -> None:
    (folder / "report.html").write_text(html.render(blocks, title), encoding="utf-8")
    (folder / "report.pdf").write_bytes(pdf.render(blocks, title))
