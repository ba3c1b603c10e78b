"""Agreement between workers, against scikit-learn and a published example."""

from __future__ import annotations

import random

import pytest
from sklearn.metrics import cohen_kappa_score

from localaws.portal import agreement

#: Fleiss' own table of 10 subjects, 14 raters and 5 categories, whose kappa is 0.210.
FLEISS = [
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
]


def test_two_people_have_cohens_kappa_as_scikit_learn_has_it() -> None:
    rng = random.Random(7)
    ann = [rng.choice("+0-") for _ in range(200)]
    bob = [label if rng.random() < 0.7 else rng.choice("+0-") for label in ann]
    answers = [(str(i), who, labels[i]) for i in range(200) for who, labels in (("ann", ann), ("bob", bob))]
    found = agreement.of(answers)
    assert found is not None
    assert found.measure == "Cohen's kappa"
    assert found.kappa == pytest.approx(cohen_kappa_score(ann, bob))
    assert found.items == 200
    assert found.agreed == pytest.approx(sum(a == b for a, b in zip(ann, bob, strict=True)) / 200)


def test_more_people_have_fleiss_kappa_as_published() -> None:
    answers = []
    for item, counts in enumerate(FLEISS):
        labels = [str(label) for label, count in enumerate(counts) for _ in range(count)]
        answers += [(str(item), f"rater {rater}", label) for rater, label in enumerate(labels)]
    found = agreement.of(answers)
    assert found is not None
    assert found.measure == "Fleiss' kappa"
    assert found.kappa == pytest.approx(0.210, abs=0.0005)


def test_items_of_one_answer_say_nothing_of_agreement() -> None:
    assert agreement.of([("1", "ann", "+"), ("2", "bob", "+")]) is None
    assert agreement.of([]) is None


def test_last_answer_of_a_person_counts() -> None:
    found = agreement.of(
        [("1", "ann", "-"), ("1", "ann", "+"), ("1", "bob", "+"), ("2", "ann", "-"), ("2", "bob", "-")]
    )
    assert found is not None
    assert found.kappa == 1


def test_kappa_of_one_label_throughout_is_not_defined() -> None:
    found = agreement.of([("1", "ann", "+"), ("1", "bob", "+")])
    assert found is not None
    assert found.kappa is None
    assert found.agreed == 1
