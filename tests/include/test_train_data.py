"""What the train job makes of the features: epochs, balance, batches."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import load

data = load("train", "data")
LABELS = np.array([0] * 10 + [1] * 20 + [2] * 100)


def counts(balance: str, most: int = 0, epoch: int = 0, seed: int = 1) -> dict[int, int]:
    rows = data.epoch_rows(LABELS, balance, most, epoch, seed)
    return dict(sorted(Counter(LABELS[rows].tolist()).items()))


@pytest.mark.parametrize(
    ("balance", "most", "expected"),
    [
        ("undersample", 0, {0: 10, 1: 10, 2: 10}),
        ("oversample", 0, {0: 100, 1: 100, 2: 100}),
        ("oversample", 90, {0: 30, 1: 30, 2: 30}),
        ("oversample", 9000, {0: 100, 1: 100, 2: 100}),
        ("none", 0, {0: 10, 1: 20, 2: 100}),
        ("class_weights", 90, {0: 10, 1: 20, 2: 100}),
    ],
)
def test_an_epoch_has_of_each_class_what_the_balance_says(balance: str, most: int, expected: dict[int, int]) -> None:
    assert counts(balance, most) == expected


def test_a_class_with_fewer_rows_repeats_all_of_them_evenly() -> None:
    rows = data.epoch_rows(LABELS, "oversample", 75, 0, 1)
    repeats = Counter(rows[LABELS[rows] == 0].tolist())
    assert len(repeats) == 10 and set(repeats.values()) == {2, 3}


def test_a_class_with_more_rows_gives_others_in_the_next_epoch() -> None:
    epochs = [data.epoch_rows(LABELS, "oversample", 75, epoch, 1) for epoch in range(4)]
    positives = [set(rows[LABELS[rows] == 2].tolist()) for rows in epochs]
    assert not positives[0] & positives[1] and len(set.union(*positives)) == 100


def test_an_epoch_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = (data.epoch_rows(LABELS, "oversample", 0, 0, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_class_weights_make_the_classes_count_alike_and_leave_out_an_absent_one() -> None:
    weights = data.class_weights(LABELS)
    assert weights * np.bincount(LABELS) == pytest.approx([130 / 3] * 3)
    assert data.class_weights(np.array([0, 0, 2])).tolist() == [0.75, 0.0, 1.5]


def examples(lengths: list[int], longest: int = 50) -> Any:
    ids = np.concatenate([np.arange(1, length + 1) for length in lengths])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return data.Examples(ids, offsets, np.zeros(len(lengths), dtype=np.int64), longest)


def test_batches_hold_every_row_once_and_rows_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(3, 50, 1000).tolist()
    batches = data.bucketed(examples(lengths), np.arange(1000), 16, 0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    padded = sum(len(rows) * max(lengths[row] for row in rows) for rows in batches)
    assert padded < 1.1 * sum(lengths)
    firsts = [lengths[rows[0]] for rows in batches]
    assert firsts != sorted(firsts)


def test_a_batch_is_padded_to_its_longest_row_and_masked() -> None:
    batch = examples([2, 4, 9]).batch(np.array([1, 0]), padding=7)
    assert batch.input_ids.tolist() == [[1, 2, 3, 4], [1, 2, 7, 7]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


@pytest.mark.parametrize(("longest", "width"), [(16, 8), (6, 6)])
def test_a_batch_is_padded_to_a_multiple_as_far_as_that_is_allowed(longest: int, width: int) -> None:
    batch = examples([2, 5], longest=longest).batch(np.array([0, 1]), padding=7, multiple=8)
    assert batch.input_ids.shape == (2, width)
    assert batch.attention_mask.sum(1).tolist() == [2, 5]


def test_a_row_too_long_is_cut_and_keeps_its_closing_token() -> None:
    assert examples([9], longest=4).row(0).tolist() == [1, 2, 3, 9]


def test_a_limit_takes_so_many_rows_at_random() -> None:
    some = examples(list(range(3, 103))).take(10, seed=1)
    assert len(some) == 10 and len(set(some.lengths.tolist())) > 5
    assert examples([3, 4]).take(0, seed=1).lengths.tolist() == [3, 4]


def write(folder: Path, labels: list[int], vocabulary: str = "v", name: str = "part-algo-1.parquet") -> Path:
    folder.mkdir(exist_ok=True)
    table = pa.table({"input_ids": [[2, 5, 3]] * len(labels), "label_id": pa.array(labels, pa.int8())})
    pq.write_table(table.replace_schema_metadata({"vocabulary": vocabulary}), folder / name)
    return folder


def test_all_parts_of_a_split_are_read(tmp_path: Path) -> None:
    write(tmp_path / "train", [0, 1])
    write(tmp_path / "train", [2], name="part-algo-2.parquet")
    found = data.read_split(tmp_path / "train", 10, "v")
    assert found.labels.tolist() == [0, 1, 2] and found.row(2).tolist() == [2, 5, 3]


def test_a_limited_read_draws_the_rows_that_a_whole_one_would_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(1)
    for number in range(3):
        ids = [random.integers(1000, size=size).tolist() for size in random.integers(1, 9, size=50)]
        table = pa.table({"input_ids": pa.array(ids, pa.list_(pa.int32())), "label_id": random.integers(3, size=50)})
        (tmp_path / "train").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / "train" / f"part-{number}.parquet", row_group_size=20)
    monkeypatch.setattr(data, "BATCH", 7)
    whole = data.read_split(tmp_path / "train", 10).take(60, 5)
    drawn = data.read_split(tmp_path / "train", 10, limit=60, seed=5)
    assert drawn.labels.tolist() == whole.labels.tolist() and len(drawn) == 60
    assert [drawn.row(row).tolist() for row in range(60)] == [whole.row(row).tolist() for row in range(60)]
    assert len(data.read_split(tmp_path / "train", 10, limit=150, seed=5)) == 150


def test_features_of_another_base_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(data.BadInput, match="another base model"):
        data.read_split(write(tmp_path / "train", [0]), 10, "w")


@pytest.mark.parametrize(("labels", "said"), [([], "no rows"), ([0, 3], "label_id must be 0 to 2"), ([-1], "label_id")])
def test_features_that_cannot_be_used_are_refused(tmp_path: Path, labels: list[int], said: str) -> None:
    with pytest.raises(data.BadInput, match=said):
        data.read_split(write(tmp_path / "train", labels), 10)


def test_files_that_are_no_features_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(data.BadInput, match=r"channel train: there is no Parquet file"):
        data.read_split(tmp_path / "train", 10)
    (tmp_path / "train" / "x.parquet").write_bytes(b"not parquet")
    with pytest.raises(data.BadInput, match="not a file of the features job"):
        data.read_split(tmp_path / "train", 10)
    pq.write_table(pa.table({"other": [1]}), tmp_path / "train" / "x.parquet")
    with pytest.raises(data.BadInput, match="not a file of the features job"):
        data.read_split(tmp_path / "train", 10)


def test_a_model_assumes_classes_alike_unless_nothing_balances_them() -> None:
    natural = [pytest.approx(10 / 130, abs=1e-6), pytest.approx(20 / 130, abs=1e-6), pytest.approx(100 / 130, abs=1e-6)]
    assert data.class_shares(LABELS) == natural == data.learned_shares(LABELS, "none")
    for balance in ("undersample", "oversample", "class_weights"):
        assert data.learned_shares(LABELS, balance) == [pytest.approx(1 / 3, abs=1e-6)] * 3
    assert data.learned_shares(np.array([0, 0, 2]), "undersample") == [0.5, 0.0, 0.5]
