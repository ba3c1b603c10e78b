"""BlazingText's training: hyperparameters, channels, early stopping, and models that fastText opens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest
from blazingtext_kit import QUICK, lines, manifest, train

from localaws.images.blazingtext.errors import AlgorithmError
from localaws.images.blazingtext.parameters import Parameters

VECTORS = {"mode": "skipgram", "min_count": "1", "vector_dim": "8", "buckets": "1000", "epochs": "2"}


def accuracy(text: str, channel: str) -> float:
    found = re.findall(rf"^#{channel}_accuracy: ([0-9.]+)$", text, re.MULTILINE)
    assert len(found) == 1, text
    return float(found[0])


def test_supervised_training_writes_a_model_that_fasttext_opens_and_says_how_good_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(tmp_path, QUICK, {"train": lines(600), "validation": lines(90, seed=2)})
    assert [path.name for path in folder.iterdir()] == ["model.bin"]
    model = fasttext.load_model(str(folder / "model.bin"))
    assert sorted(model.labels) == ["__label__-1", "__label__0", "__label__1"]
    assert model.predict("i love this perfect dress")[0] == ("__label__1",)
    said = capsys.readouterr().out
    assert accuracy(said, "train") > 0.95
    assert accuracy(said, "validation") > 0.95
    assert "Number of train examples: 600" in said
    assert "Number of validation examples: 90" in said


def test_the_validation_accuracy_is_that_of_the_written_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Labels at random: the accuracy is something between none and all.
    confused = lines(60, seed=2).replace("__label__1", "__label__0")
    folder = train(tmp_path, QUICK, {"train": lines(300), "validation": confused})
    model = fasttext.load_model(str(folder / "model.bin"))
    right = sum(model.predict(line.partition(" ")[2])[0][0] == line.partition(" ")[0] for line in confused.splitlines())
    assert accuracy(capsys.readouterr().out, "validation") == pytest.approx(right / 60, abs=1e-4)
    assert 0.5 < right / 60 < 0.8


def test_without_a_validation_channel_there_is_no_validation_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path, QUICK, {"train": lines(90)})
    assert "validation" not in capsys.readouterr().out


def test_the_same_data_and_settings_give_the_same_model(tmp_path: Path) -> None:
    models = [
        (train(tmp_path / name, QUICK, {"train": lines(150)}) / "model.bin").read_bytes()
        for name in ("first", "second")
    ]
    assert models[0] == models[1]


def test_hyperparameters_reach_fasttext(tmp_path: Path) -> None:
    settings = {**QUICK, "vector_dim": "7", "word_ngrams": "3", "buckets": "512", "min_count": "2", "epochs": "3"}
    model = fasttext.load_model(str(train(tmp_path, settings, {"train": lines(90)}) / "model.bin"))
    arguments = model.f.getArgs()
    assert (arguments.dim, arguments.wordNgrams, arguments.bucket, arguments.minCount) == (7, 3, 512, 2)
    assert (arguments.epoch, arguments.loss.name) == (3, "softmax")
    assert model.get_input_matrix().shape == (len(model.words) + 512, 7)


def epochs(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"Trained for (\d+) epochs", text)]


def test_training_stops_early_when_the_validation_accuracy_no_longer_rises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {**QUICK, "epochs": "50", "early_stopping": "True", "min_epochs": "2", "patience": "3"}
    folder = train(tmp_path, settings, {"train": lines(600), "validation": lines(90, seed=2)})
    said = capsys.readouterr().out
    accuracies = [float(value) for value in re.findall(r"^Validation accuracy: (\S+)$", said, re.MULTILINE)]
    best = accuracies.index(max(accuracies))
    # Two epochs at least, and three more than the best needed; far from 50.
    assert epochs(said) == list(range(2, 2 + best + 4))
    assert "Stopping early." in said
    kept = fasttext.load_model(str(folder / "model.bin"))
    assert kept.f.getArgs().epoch == 2 + best
    assert accuracy(said, "validation") == pytest.approx(max(accuracies), abs=1e-4)


def test_early_stopping_goes_no_further_than_epochs_and_no_less_than_they_allow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    channels = {"train": lines(90), "validation": lines(30, seed=2)}
    train(tmp_path / "a", {**QUICK, "epochs": "6", "early_stopping": "true", "patience": "9"}, channels)
    assert epochs(capsys.readouterr().out) == [5, 6]
    train(tmp_path / "b", {**QUICK, "epochs": "3", "early_stopping": "true"}, channels)
    assert epochs(capsys.readouterr().out) == [3]


def test_an_augmented_manifest_trains_the_model_that_its_text_would(tmp_path: Path) -> None:
    plain = train(tmp_path / "text", QUICK, {"train": lines(150)}) / "model.bin"
    augmented = train(tmp_path / "json", QUICK, {"train": manifest(150)}, attributes=["source", "label"]) / "model.bin"
    assert plain.read_bytes() == augmented.read_bytes()


def test_a_manifest_s_list_of_labels_is_several_labels(tmp_path: Path) -> None:
    records = '{"source": "soft and warm", "label": ["soft", 2]}\n' * 20
    folder = train(tmp_path, QUICK, {"train": records}, attributes=["source", "label"])
    assert set(fasttext.load_model(str(folder / "model.bin")).labels) == {"__label__soft", "__label__2"}


def test_all_files_of_a_channel_count_and_blank_lines_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = lines(90)
    half = len(text.splitlines()) // 2
    parts = {
        "a.txt": "\n".join(text.splitlines()[:half]),
        "b.txt": "\n\n" + "\n".join(text.splitlines()[half:]) + "\n\n",
    }
    split = train(tmp_path / "split", QUICK, {"train": parts}) / "model.bin"
    assert "Processing the channel train: 90 lines" in capsys.readouterr().out
    assert split.read_bytes() == (train(tmp_path / "whole", QUICK, {"train": text}) / "model.bin").read_bytes()


@pytest.mark.parametrize("mode", ["skipgram", "cbow", "batch_skipgram"])
def test_word2vec_writes_vectors_as_text_and_as_a_model(
    tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(tmp_path, {**VECTORS, "mode": mode}, {"train": lines(300)})
    assert {path.name for path in folder.iterdir()} == {"vectors.txt", "vectors.bin"}
    model = fasttext.load_model(str(folder / "vectors.bin"))
    head, *rows = (folder / "vectors.txt").read_text().splitlines()
    assert head == f"{len(model.words)} 8"
    assert [row.split(" ")[0] for row in rows] == model.words
    written = np.array(rows[3].split(" ")[1:], dtype=float)
    assert written == pytest.approx(model.get_word_vector(model.words[3]), rel=1e-4)
    assert model.f.getArgs().model.name == ("cbow" if mode == "cbow" else "skipgram")
    assert not model.get_word_vector("unknown").any()
    assert ("batch_skipgram is trained as skipgram" in capsys.readouterr().out) == (mode == "batch_skipgram")


def test_word2vec_modes_tell_their_vectors_apart(tmp_path: Path) -> None:
    skipgram = train(tmp_path / "s", VECTORS, {"train": lines(300)}) / "vectors.txt"
    cbow = train(tmp_path / "c", {**VECTORS, "mode": "cbow"}, {"train": lines(300)}) / "vectors.txt"
    assert skipgram.read_text() != cbow.read_text()


def test_subwords_give_a_vector_to_an_unknown_word(tmp_path: Path) -> None:
    settings = {**VECTORS, "subwords": "True", "min_char": "2", "max_char": "4"}
    model = fasttext.load_model(str(train(tmp_path, settings, {"train": lines(300)}) / "vectors.bin"))
    arguments = model.f.getArgs()
    assert (arguments.minn, arguments.maxn) == (2, 4)
    assert model.get_word_vector("perfectly").any()


def test_defaults_are_aws_s() -> None:
    assert dict(Parameters.parse({"mode": "supervised"}).values) == {
        "buckets": 2000000,
        "early_stopping": False,
        "epochs": 5,
        "learning_rate": 0.05,
        "min_count": 5,
        "min_epochs": 5,
        "patience": 4,
        "vector_dim": 100,
        "word_ngrams": 2,
    }
    vectors = Parameters.parse({"mode": "cbow", "_tuning_objective_metric": "train:mean_rho"}).values
    assert vectors["sampling_threshold"] == 0.0001
    assert (vectors["window_size"], vectors["negative_samples"], vectors["batch_size"]) == (5, 5, 11)
    assert (vectors["min_char"], vectors["max_char"], vectors["subwords"]) == (3, 6, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mode": "bert"}, "mode is 'bert': it must be supervised, skipgram, cbow or batch_skipgram"),
        ({"mode": None}, "mode is missing"),
        ({"epochs": "0"}, "epochs is '0': it must be a positive integer"),
        ({"epochs": "2.5"}, "epochs is '2.5'"),
        ({"epochs": "99999999999"}, "epochs is '99999999999'"),
        ({"learning_rate": "0"}, "learning_rate is '0': it must be a positive number"),
        ({"learning_rate": "nan"}, "learning_rate is 'nan'"),
        ({"learning_rate": "-1"}, "learning_rate is '-1'"),
        ({"min_count": "-1"}, "min_count is '-1': it must be a non-negative integer"),
        ({"vector_dim": "many"}, "vector_dim is 'many'"),
        ({"word_ngrams": "0"}, "word_ngrams is '0'"),
        ({"buckets": "0"}, "buckets is '0'"),
        ({"patience": "0"}, "patience is '0'"),
        ({"min_epochs": "0"}, "min_epochs is '0'"),
        ({"early_stopping": "yes"}, "early_stopping is 'yes': it must be True or False"),
        ({"window_size": "5"}, "window_size is not a hyperparameter of the mode supervised, which has buckets,"),
        ({"mode": "skipgram"}, "word_ngrams is not a hyperparameter of the mode skipgram"),
        ({"mode": "cbow", "patience": "3"}, "patience is not a hyperparameter of the mode cbow"),
        (
            {"mode": "cbow", "sampling_threshold": "1"},
            "sampling_threshold is '1': it must be a fraction between 0 and 1",
        ),
        ({"mode": "cbow", "evaluation": "True"}, "evaluation, on the WordSimilarity-353 set, is not implemented"),
        ({"mode": "cbow", "subwords": "True", "min_char": "7"}, "min_char 7 is greater than max_char 6"),
    ],
)
def test_a_hyperparameter_out_of_range_is_refused_by_name_and_value(changes: dict[str, Any], reason: str) -> None:
    base = {"mode": "supervised", "word_ngrams": "2"} if changes.get("mode", "supervised") != "cbow" else {}
    texts = {key: value for key, value in {**base, **changes}.items() if value is not None}
    with pytest.raises(AlgorithmError, match=reason):
        Parameters.parse(texts)


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        (
            {"train": lines(5) + "no label here\n" + lines(3)},
            "line 6 of train.txt in the channel train has no label, a token .* with __label__: 'no label here'",
        ),
        ({"train": "__label__ nothing\n"}, "line 1 of train.txt in the channel train has no label"),
        ({"train": "__label__1\n"}, "line 1 of train.txt in the channel train has no word beside its label"),
        (
            {"train": lines(3), "validation": "great\n"},
            "line 1 of validation.txt in the channel validation has no label",
        ),
        ({"train": b"__label__1 caf\xe9\n"}, "line 1 of train.txt in the channel train is not UTF-8"),
        ({"train": "\n\n"}, "the channel train has no line of text"),
        ({"train": {}}, "the channel train has no file"),
        ({"validation": lines(3)}, "the channel train is missing"),
        ({"train": lines(3), "test": lines(3)}, "test is not a channel of the mode supervised: train, validation"),
    ],
)
def test_data_that_cannot_be_learnt_from_are_refused_with_file_and_line(
    tmp_path: Path, channels: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AlgorithmError, match=reason):
        train(tmp_path, QUICK, channels)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{oops", "line 1 of train.txt in the channel train is not JSON"),
        ('{"text": "a"}', "line 1 .* has no source"),
        ('{"source": "great"}', "line 1 .* has no label"),
        ('{"source": "great", "label": []}', "line 1 .* has no label"),
        ('{"source": "great", "label": "two words"}', "line 1 .* has no label"),
        ('{"source": "", "label": 1}', "line 1 .* has no word"),
    ],
)
def test_a_manifest_s_record_that_lacks_a_part_is_refused(tmp_path: Path, record: str, reason: str) -> None:
    with pytest.raises(AlgorithmError, match=reason):
        train(tmp_path, QUICK, {"train": record + "\n"}, attributes=["source", "label"])


def test_a_min_count_that_no_word_reaches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AlgorithmError, match="no word occurs min_count = 1000 times"):
        train(tmp_path / "labels", {**QUICK, "min_count": "1000"}, {"train": lines(9)})
    with pytest.raises(AlgorithmError, match="no word occurs min_count = 1000 times"):
        train(tmp_path / "vectors", {**VECTORS, "min_count": "1000"}, {"train": lines(9)})


def test_more_than_one_instance_and_early_stopping_without_validation_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AlgorithmError, match="2 instances"):
        train(tmp_path, QUICK, {"train": lines(9)}, hosts=2)
    with pytest.raises(AlgorithmError, match="early_stopping needs the channel validation"):
        train(tmp_path, {**QUICK, "early_stopping": "True"}, {"train": lines(9)})
    with pytest.raises(AlgorithmError, match="validation is not a channel of the mode skipgram: train"):
        train(tmp_path, VECTORS, {"train": lines(9), "validation": lines(9)})
