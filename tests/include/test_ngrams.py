"""The linear model beside the encoder: its terms, its fit, and that training, serving and the twin add it alike."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jobs_kit import load, split
from sklearn.linear_model import LogisticRegression
from training_kit import history, train
from transformers import AutoModelForSequenceClassification

ngrams = load("train", "ngrams")
data = load("train", "data")


def examples(texts: list[list[int]], labels: list[int]) -> Any:
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    return data.Examples(np.concatenate(texts), offsets, np.array(labels), 16)


def test_terms_are_tokens_and_pairs_of_neighbours_once_each() -> None:
    half = 1 << 32
    expected = [5 * half, 5 * half + 8, 7 * half, 7 * half + 6, 7 * half + 8]
    assert ngrams.terms([7, 7, 5, 7, 7]).tolist() == expected
    assert ngrams.terms(np.array([], np.int32)).tolist() == []


def test_logits_are_the_bias_and_the_known_terms_over_the_root_of_their_number(tmp_path: Path) -> None:
    keys = ngrams.terms([5, 7])
    model = ngrams.Ngrams(keys, np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 4]]), np.array([0.5, 0, 0]), 0.75)
    rows = [[5, 7], [7, 5], [9]]
    expected = [[0.5 + 1 / 3**0.5, 2 / 3**0.5, 4 / 3**0.5], [0.5 + 1 / 2**0.5, 0, 4 / 2**0.5], [0.5, 0, 0]]
    assert model(rows) == pytest.approx(np.array(expected), abs=1e-6)
    model.save(tmp_path)
    assert ngrams.load(tmp_path).encoder == 0.75
    assert ngrams.load(tmp_path)(rows) == pytest.approx(np.array(expected), abs=1e-3)
    assert ngrams.load(tmp_path / "nowhere") is None


def test_the_fit_is_scikit_learns_regression_on_the_same_terms() -> None:
    random = np.random.default_rng(2)
    texts = [random.integers(1, 30, random.integers(3, 12)).tolist() for _ in range(300)]
    labels = [int(text[0] > 10) + int(text[1] > 15) for text in texts]
    given = examples(texts, labels)
    model = load("train", "terms").fit(given, data.class_weights(given.labels), 0.25, 1)
    matrix = np.zeros((len(texts), len(model.keys)))
    for row, text in enumerate(texts):
        matrix[row, model.known(text)] = len(model.known(text)) ** -0.5
    oracle = LogisticRegression(class_weight="balanced", tol=1e-8, max_iter=1000).fit(matrix, labels)
    odds = np.exp(4 * model(texts))
    assert model.encoder == 0.75
    assert odds / odds.sum(1, keepdims=True) == pytest.approx(oracle.predict_proba(matrix), abs=0.01)
    # A term of one review says nothing of another.
    counts: dict[int, int] = {}
    for text in texts:
        for key in ngrams.terms(text).tolist():
            counts[key] = counts.get(key, 0) + 1
    assert sorted(key for key, count in counts.items() if count > 1) == model.keys.tolist()


def test_an_endpoint_mixes_its_logits_with_the_encoders(trained: Path, features: Path) -> None:
    row = split(features, "test")[0]
    encoder = AutoModelForSequenceClassification.from_pretrained(trained / "model").eval()
    beside = ngrams.load(trained / "model")([row["input_ids"]])
    with torch.inference_mode():
        logits = 0.6 * encoder(input_ids=torch.tensor([row["input_ids"]])).logits + torch.from_numpy(beside)
    code = "import inference, json, sys; print(json.dumps(inference.model_fn(sys.argv[1])([sys.argv[2]])[0]['odds']))"
    words = [sys.executable, "-c", code, str(trained / "model"), row["review_body"]]
    done = subprocess.run(words, cwd=trained / "model" / "code", capture_output=True, text=True, check=True)
    assert abs(beside).max() > 0.01
    assert torch.tensor(json.loads(done.stdout)) == pytest.approx(logits.softmax(1)[0], abs=1e-4)


def test_the_validation_figures_are_those_of_both_models(trained: Path, features: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "in" / "model" / "model"), "gztar", trained / "model")
    shutil.copytree(features / "validation", tmp_path / "in" / "test")
    report = load("evaluate").evaluate(tmp_path / "in", tmp_path / "out", False)
    assert report["metrics"]["accuracy"]["value"] == pytest.approx(history(trained)["best"]["val_acc"])


def test_a_weight_of_zero_trains_the_encoder_alone(features: Path, tiny_bert: Path, tmp_path: Path) -> None:
    assert train(features, tiny_bert, tmp_path, ngrams=0, max_train_rows=60) == 0
    assert not (tmp_path / "model" / "ngrams.npz").exists()
    assert ngrams.load(tmp_path / "model") is None


@pytest.mark.parametrize("weight", ["-0.1", "1.5", "much"])
def test_a_weight_that_is_no_share_is_refused(weight: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load("train").parse(["--ngrams", weight])
    assert "--ngrams" in capsys.readouterr().err
