"""The training of one candidate, without a server: limits, settings, and what the saved model must answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import auto_ml_kit as kit
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoTokenizer

from localaws.images.autopilot import finetune, linear, package, scores, train
from localaws.images.autopilot.encoder import Classifier, load_encoder, padded, probabilities, training_batches
from localaws.images.autopilot.errors import AutopilotError

CLASSES = ["-1", "0", "1"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Of so little arithmetic several threads make more work, and spin beside whatever else runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.tiny_bert(tmp_path_factory.mktemp("base") / "bert")


@pytest.fixture
def ml(tmp_path: Path, bert: Path) -> Path:
    """``/opt/ml`` with the channels of the features job."""
    tokenizer = AutoTokenizer.from_pretrained(bert)
    for part, count in (("train", 90), ("validation", 30)):
        records = kit.rows(count, seed=count)
        texts = [record["review_body"] for record in records]
        columns = {
            "text": texts,
            "label_id": [CLASSES.index(record["sentiment"]) for record in records],
            "input_ids": tokenizer(texts)["input_ids"],
        }
        folder = tmp_path / "input" / "data" / part
        folder.mkdir(parents=True)
        pq.write_table(pa.table(columns), folder / "part-0.parquet")
    dataset = {
        "classes": CLASSES,
        "problem_type": "MulticlassClassification",
        "columns": ["sentiment", "review_body"],
        "target_column": "sentiment",
        "text_column": "review_body",
        "max_tokens": 128,
        "base_model": str(bert),
    }
    (tmp_path / "input" / "data" / "dataset").mkdir()
    (tmp_path / "input" / "data" / "dataset" / "dataset.json").write_text(json.dumps(dataset))
    return tmp_path


@pytest.mark.parametrize(
    ("hyperparameters", "words"),
    [
        ({}, "candidate is None: it must be one of linear, top-layers, full"),
        ({"candidate": "linear", "epochs": "3"}, "epochs is not a hyperparameter of the candidate linear"),
        ({"candidate": "full", "epochs": "0"}, "epochs is '0': it must be a positive integer"),
        ({"candidate": "full", "learning_rate": "fast"}, "learning_rate is 'fast': it must be a positive number"),
        ({"candidate": "top-layers", "trained_layers": "9"}, "trained_layers is 9, and the encoder has 3 layers"),
        ({"candidate": "full", "learning_rate": "1e30", "epochs": "1"}, "the loss is not a number"),
    ],
)
def test_hyperparameters_that_are_no_good_are_named(ml: Path, hyperparameters: dict[str, str], words: str) -> None:
    with pytest.raises(AutopilotError, match=words):
        train.run(hyperparameters, ml)
    assert not (ml / "model").exists()


def test_a_time_limit_ends_the_training_with_the_best_so_far(ml: Path, capfd: pytest.CaptureFixture[str]) -> None:
    values = train.run({"candidate": "full", "max_runtime": "1", "epochs": "1000000"}, ml)
    assert "out of time" in capfd.readouterr().out
    assert set(values) >= {"Accuracy", "F1macro"}
    assert package.load(ml / "model").classes == CLASSES


def test_a_saved_model_that_answers_otherwise_fails_the_candidate(ml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = package.save

    def broken(model: Classifier, tokenizer: Any, dataset: dict[str, Any], folder: Path) -> None:
        save(model, tokenizer, {**dataset, "max_tokens": 3}, folder)

    monkeypatch.setattr(package, "save", broken)
    with pytest.raises(AutopilotError, match="the saved model's probabilities differ"):
        train.run({"candidate": "linear"}, ml)


def test_the_same_seed_trains_the_same_model(ml: Path) -> None:
    first, second = (train.run({"candidate": "top-layers", "epochs": "1"}, ml) for _ in range(2))
    assert first == second


def test_frozen_layers_do_not_change_and_the_others_do(bert: Path) -> None:
    torch.manual_seed(1)
    model = Classifier(load_encoder(bert), 3)
    before = {name: value.clone() for name, value in model.named_parameters()}
    tokenizer = AutoTokenizer.from_pretrained(bert)
    records = kit.rows(60)
    ids = tokenizer([record["review_body"] for record in records])["input_ids"]
    labels = np.array([CLASSES.index(record["sentiment"]) for record in records])
    settings = finetune.Settings(1, 16, 1e-3, 1e-2, 1, 1, time.monotonic() + 60)
    finetune.Trainer(model, ids, labels, padding=0, settings=settings, say=lambda text: None).fit()
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith(("head.", "encoder.encoder.layer.2.")) for name in changed)
    assert not model.training


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_says_what_the_regression_says(bert: Path, classes: int) -> None:
    model = Classifier(load_encoder(bert), classes).eval()
    tokenizer = AutoTokenizer.from_pretrained(bert)
    records = [record for record in kit.rows(90) if CLASSES.index(record["sentiment"]) < classes]
    ids = tokenizer([record["review_body"] for record in records])["input_ids"]
    labels = np.array([CLASSES.index(record["sentiment"]) for record in records])
    deadline = time.monotonic() + 60
    linear.fit(model, ids, labels, padding=0, folds=5, seed=1, deadline=deadline, say=lambda text: None)
    odds = probabilities(model, ids, 0)
    assert odds.shape == (len(records), classes)
    assert (odds.argmax(1) == labels).mean() > 0.9
    assert odds.sum(1) == pytest.approx(1.0)


def test_batches_hold_each_row_once_and_rows_of_like_length() -> None:
    generator = np.random.default_rng(1)
    ids = [[1] * int(length) for length in generator.integers(1, 100, 1000)]
    batches = training_batches(ids, np.arange(1000), 10, (1, 0))
    assert sorted(row for batch in batches for row in batch) == list(range(1000))
    spread = [max(len(ids[row]) for row in batch) - min(len(ids[row]) for row in batch) for batch in batches]
    assert np.mean(spread) < 5
    inputs, mask = padded([[5, 6, 7], [5]], 0)
    assert inputs.tolist() == [[5, 6, 7], [5, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_scores_are_those_of_the_definitions() -> None:
    labels = np.array([0, 0, 0, 1])
    odds = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    values = scores.score(labels, odds, "BinaryClassification")
    assert values["Accuracy"] == 0.75
    assert values["Precision"] == 0.5
    assert values["Recall"] == 1.0
    assert values["F1"] == pytest.approx(2 / 3)
    assert values["BalancedAccuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert values["AUC"] == pytest.approx(2 / 3)
    assert values["LogLoss"] == pytest.approx(-np.log([0.9, 0.8, 0.3, 0.6]).mean())
    assert "validation:binary_f1=0.666667" in scores.lines(values)
