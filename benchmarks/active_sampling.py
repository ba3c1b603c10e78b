"""
Accuracy after retraining when people label what the model is unsure of, against a random sample of the same size.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.active_sampling     # prints Markdown; some minutes

Fine-tuning the encoder dozens of times takes too long, so the model is a cheap one: MiniLM frozen, the mean of its
token vectors, and a logistic regression with balanced classes on top. A start of labelled reviews is drawn at random,
then some rounds of a budget each are labelled and the regression is trained again. The choice is made by the code of
the job ``review_selection``, as the DAG ``human_review`` has it make it; people answer what the rating says.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from benchmarks.features import MODEL, features_of
from benchmarks.job_code import bundle
from benchmarks.local import offline_hub
from include.reviews.source import fetch

sys.path.insert(0, str(bundle("review_selection")))
from choosing import Plan, choose

#: reviews that can be chosen from, labelled at the start, looked at and labelled in each round, and rounds.
POOL, START, CANDIDATES, BUDGET, ROUNDS = 8000, 300, 2000, 40, 5
SEEDS, MORE_SEEDS = (1, 2, 3), tuple(range(1, 21))
#: control share of the budget.
WAYS = {"random": 1.0, "active, a quarter control": 0.25, "active alone": 0.0}
THRESHOLD, LIKENESS = 0.9, 0.6


@dataclass(frozen=True)
class Reviews:
    """Vectors, sentiments, names and texts, in the same order."""

    vectors: np.ndarray
    sentiments: np.ndarray
    names: list[str]
    texts: list[str]


@dataclass(frozen=True)
class Result:
    """Of one way and one seed: accuracies by round, and of the last round the other figures."""

    accuracies: list[float]
    macro_f1: float
    #: on the test reviews that the first model was not sure of, before and after.
    slice_before: float
    slice_after: float
    slice_reviews: int


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        offline_hub()
        origin = fetch(os.environ.get("REVIEWS_SOURCE"), folder / "raw" / "reviews.csv")
        features_of(folder / "raw", folder / "features")
        # The hub's library reads these settings when it is imported.
        from transformers import AutoModel

        encoder = AutoModel.from_pretrained(MODEL).eval()
        pool = read(folder / "features" / "train", encoder, POOL)
        test = read(folder / "features" / "test", encoder)
    found = {way: [run(pool, test, share, seed) for seed in MORE_SEEDS] for way, share in WAYS.items()}
    report(found, len(pool.names), len(test.names), "made-up (SYNTHETIC)" if origin.synthetic else "real")


def read(folder: Path, encoder: Any, most: int = 0) -> Reviews:
    """The reviews of a split as vectors; a random sample of ``most``."""
    table = pa.concat_tables([pq.read_table(part) for part in sorted(folder.glob("*.parquet"))])
    order = np.random.default_rng(0).permutation(len(table))[: most or None]
    rows = table.take(pa.array(order))
    return Reviews(
        embed(rows["input_ids"].to_pylist(), encoder),
        rows["sentiment"].to_numpy(),
        rows["review_id"].to_pylist(),
        rows["review_body"].to_pylist(),
    )


@torch.inference_mode()
def embed(ids: Sequence[Sequence[int]], encoder: Any, batch: int = 64) -> np.ndarray:
    """The mean of the last layer's vectors of each text, of length 1; texts of like length together."""
    vectors = np.zeros((len(ids), encoder.config.hidden_size), np.float32)
    order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        longest = max(len(ids[at]) for at in chosen)
        tokens = torch.tensor([[*ids[at], *[0] * (longest - len(ids[at]))] for at in chosen])
        mask = torch.tensor([[1] * len(ids[at]) + [0] * (longest - len(ids[at])) for at in chosen])
        states = encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        vectors[chosen] = torch.nn.functional.normalize(mean).numpy()
    return vectors


def run(pool: Reviews, test: Reviews, control_share: float, seed: int) -> Result:
    """Label a start and some rounds; what the models are worth."""
    generator = np.random.default_rng(seed)
    labelled = list(generator.permutation(len(pool.names))[:START])
    first = model = fit(pool, labelled)
    accuracies = [accuracy(model, test)]
    for number in range(ROUNDS):
        rest = np.setdiff1d(np.arange(len(pool.names)), labelled)
        candidates = generator.permutation(rest)[:CANDIDATES]
        plan = Plan(THRESHOLD, BUDGET, control_share, LIKENESS, seed=1000 * seed + number)
        chosen, _ = choose(scored(model, pool, candidates), plan)
        labelled += [row["at"] for row in chosen]
        model = fit(pool, labelled)
        accuracies.append(accuracy(model, test))
    unsure = first.predict_proba(test.vectors).max(axis=1) < THRESHOLD
    before, after = (
        float((each.predict(test.vectors[unsure]) == test.sentiments[unsure]).mean()) for each in (first, model)
    )
    macro = float(f1_score(test.sentiments, model.predict(test.vectors), average="macro"))
    return Result(accuracies, macro, before, after, int(unsure.sum()))


def fit(pool: Reviews, labelled: Sequence[int]) -> LogisticRegression:
    """A model of the labelled reviews."""
    model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=500)
    return model.fit(pool.vectors[labelled], pool.sentiments[labelled])


def scored(model: LogisticRegression, pool: Reviews, candidates: np.ndarray) -> list[dict[str, Any]]:
    """Candidates as the job has them when the endpoint has answered."""
    sure = model.predict_proba(pool.vectors[candidates]).max(axis=1)
    return [
        {"review_id": pool.names[at], "text": pool.texts[at], "probability": float(probability), "at": int(at)}
        for at, probability in zip(candidates, sure, strict=True)
    ]


def accuracy(model: LogisticRegression, test: Reviews) -> float:
    """Share of the test reviews that a model is right on."""
    return float((model.predict(test.vectors) == test.sentiments).mean())


def report(found: dict[str, list[Result]], pool: int, test: int, kind: str) -> None:
    labels = START + ROUNDS * BUDGET
    print("# Active against random sampling, at equal budget\n")
    print(
        f"The {kind} reviews: {pool:,} to choose from, {START} labelled at the start, then {ROUNDS} rounds of {BUDGET} "
        f"labels, each chosen\nfrom {CANDIDATES:,} random candidates; judged on the {test} reviews of the test split, "
        "as many of each class. The model is a\nlogistic regression on frozen MiniLM vectors, not the fine-tuned "
        "encoder: that would take hours for these runs.\nLabels are the ratings, so nobody errs.\n"
    )
    print(f"Accuracy with {START} labels, and after all {labels}:\n")
    seeds = " | ".join(f"seed {seed}" for seed in SEEDS)
    print(f"| way | {seeds} | mean of {len(SEEDS)} | mean of {len(MORE_SEEDS)} seeds | macro F1 |")
    print(f"|---|{'---:|' * (len(SEEDS) + 3)}")
    start = [result.accuracies[0] for result in found["random"]]
    _row("before", start, None)
    for way, results in found.items():
        _row(way, [result.accuracies[-1] for result in results], statistics.mean(each.macro_f1 for each in results))
    print(f"\nAgainst random sampling with the same seeds, over {len(MORE_SEEDS)} seeds:\n")
    for way in list(found)[1:]:
        pairs = zip(found[way], found["random"], strict=True)
        gains = [100 * (one.accuracies[-1] - other.accuracies[-1]) for one, other in pairs]
        error = statistics.stdev(gains) / len(gains) ** 0.5
        # Student's t with 19 degrees of freedom.
        low, mean, high = (statistics.mean(gains) + sign * 2.093 * error for sign in (-1, 0, 1))
        print(
            f"* {way}: {mean:+.2f} points of accuracy, 95 % interval {low:+.2f} to {high:+.2f}; better in "
            f"{sum(gain > 0 for gain in gains)} of {len(gains)}"
        )
    print(f"\nOn the test reviews that the first model gave a probability below {THRESHOLD}:\n")
    print("| way | reviews | before | after |")
    print("|---|---:|---:|---:|")
    for way, results in found.items():
        means = [statistics.mean(getattr(each, name) for each in results) for name in ("slice_before", "slice_after")]
        count = statistics.mean(each.slice_reviews for each in results)
        print(f"| {way} | {count:.0f} | {means[0]:.4f} | {means[1]:.4f} |")


def _row(way: str, accuracies: Sequence[float], macro_f1: float | None) -> None:
    few = accuracies[: len(SEEDS)]
    cells = [*few, statistics.mean(few), statistics.mean(accuracies)]
    last = "" if macro_f1 is None else f"{macro_f1:.4f}"
    print(f"| {way} | {' | '.join(f'{cell:.4f}' for cell in cells)} | {last} |")


if __name__ == "__main__":
    main()
