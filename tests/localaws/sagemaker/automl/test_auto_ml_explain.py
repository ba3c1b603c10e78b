"""What Autopilot says of a candidate: Shapley values of words, and statistics of its predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from localaws.images.autopilot import insights, shapley


def predict(texts: Sequence[str]) -> np.ndarray:
    """Each "good" adds 0.2 to the second class, and "not" before it takes that back."""
    found = [0.3 + 0.2 * text.count("good") - 0.2 * text.count("not good") for text in texts]
    return np.array([[1 - value, value] for value in found])


def test_attributions_add_up_to_the_prediction() -> None:
    text = "a good and not good thing"
    found = shapley.explain(predict, text, permutations=8, seed=1)
    assert "".join(found.pieces) == text
    np.testing.assert_allclose(found.values.sum(0) + found.expected, predict([text])[0])
    values = dict(zip([piece.strip() for piece in found.pieces], found.values[:, 1], strict=True))
    assert values["not"] < 0
    assert values["a"] == values["thing"] == 0


def test_a_long_text_is_taken_in_pieces() -> None:
    found = shapley.explain(predict, " ".join(["word"] * 500), permutations=1, seed=1)
    assert len(found.pieces) <= 24
    assert shapley.explain(predict, "", permutations=1, seed=1).values.shape == (1, 2)


def test_statistics_of_several_classes_count_every_row() -> None:
    labels = np.array([0, 0, 1, 2, 2, 2])
    odds = np.eye(3)[[0, 1, 1, 2, 2, 0]]
    found = insights.statistics(labels, odds, ["-1", "0", "1"], "MulticlassClassification")
    quality = found["multiclass_classification_metrics"]
    assert found["dataset"]["item_count"] == 6
    assert quality["confusion_matrix"]["1"] == {"-1": 1, "0": 0, "1": 2}
    assert quality["accuracy"]["value"] == pytest.approx(4 / 6)
    assert quality["accuracy_best_constant_classifier"]["value"] == pytest.approx(0.5)


def test_statistics_of_two_classes_have_rates_and_curves() -> None:
    labels = np.array([0, 0, 1, 1])
    odds = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    quality = insights.statistics(labels, odds, ["no", "yes"], "BinaryClassification")["binary_classification_metrics"]
    assert quality["confusion_matrix"] == {"no": {"no": 1, "yes": 1}, "yes": {"no": 0, "yes": 2}}
    assert quality["auc"]["value"] == 1
    assert quality["false_positive_rate"]["value"] == 0.5
    assert quality["receiver_operating_characteristic_curve"]["true_positive_rates"][-1] == 1
