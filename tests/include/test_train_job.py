"""The train job: it learns, keeps its best epoch, goes on after a stop, and trains the same on two instances."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from jobs_kit import bundle, load, run
from safetensors.torch import load_file
from training_kit import history, settings_for, train
from transformers import AutoModelForSequenceClassification, AutoTokenizer

METRIC = re.compile(r"val_loss: ([0-9.]+) - val_acc: ([0-9.]+)%")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def test_it_learns_what_the_made_up_reviews_say(trained: Path) -> None:
    assert history(trained)["best"]["val_acc"] > 0.8


def test_the_model_is_in_hugging_face_layout_with_its_labels_tokenizer_and_code(trained: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(trained / "model")
    assert model.config.id2label == {0: "-1", 1: "0", 2: "1"}
    assert AutoTokenizer.from_pretrained(trained / "model").model_max_length == 48
    assert sorted(path.name for path in (trained / "model" / "code").glob("*.py")) == [
        "classifier.py",
        "inference.py",
        "microbatch.py",
        "model_input.py",
        "ngrams.py",
        "precision.py",
    ]


def test_the_epoch_with_the_best_validation_accuracy_is_kept_and_named_last(
    features: Path, tiny_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(features, tiny_bert, tmp_path, epochs=3, max_train_rows=60) == 0
    reported = METRIC.findall(capsys.readouterr().out)
    record = history(tmp_path)
    accuracies = [epoch["val_acc"] for epoch in record["epochs"]]
    assert record["best"]["val_acc"] == max(accuracies) == accuracies[record["best"]["epoch"] - 1]
    assert len(reported) == 4 and reported[-1] == reported[record["best"]["epoch"] - 1]
    assert float(reported[-1][1]) == pytest.approx(100 * max(accuracies), abs=0.01)


def test_the_same_seed_trains_the_same_model_and_another_seed_another(
    features: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert train(features, tiny_bert, tmp_path / name, seed=seed, max_train_rows=60) == 0
    a, b, c = (weights(tmp_path / name)["classifier.weight"] for name in "abc")
    assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize(("part", "frozen"), [("embeddings", "embeddings"), ("encoder", "encoder.layer")])
def test_what_is_frozen_stays_as_it_was(
    features: Path, tiny_bert: Path, tmp_path: Path, part: str, frozen: str
) -> None:
    assert train(features, tiny_bert, tmp_path, freeze=part, max_train_rows=60) == 0
    before, after = load_file(tiny_bert / "model.safetensors"), weights(tmp_path)
    same = {name for name in before if torch.equal(before[name], after[f"bert.{name}"])}
    assert all(name in same for name in before if name.startswith(frozen))
    assert ("encoder.layer.0.output.dense.weight" in same) == (part == "encoder")


@pytest.mark.parametrize("balance", ["undersample", "class_weights", "none"])
def test_every_balance_trains(features: Path, tiny_bert: Path, tmp_path: Path, balance: str) -> None:
    assert train(features, tiny_bert, tmp_path, balance=balance, max_train_rows=90) == 0
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_a_roberta_with_byte_level_bpe_goes_all_the_way(table: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    words = {"base-model": tiny_roberta, "max-seq-length": 48}
    assert run("features", input=table, output=tmp_path / "features", **words) == 0
    assert train(tmp_path / "features", tiny_roberta, tmp_path, epochs=2) == 0
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == ["RobertaForSequenceClassification"]
    shutil.make_archive(str(tmp_path / "in" / "model" / "model"), "gztar", tmp_path / "model")
    (tmp_path / "in" / "test").symlink_to(tmp_path / "features" / "test")
    assert run("evaluate", input=tmp_path / "in", output=tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "report" / "evaluation.json").read_text())
    assert report["metrics"]["accuracy"]["value"] > 0.4


def test_bf16_is_used_where_asked_and_gives_a_model(features: Path, tiny_bert: Path, tmp_path: Path) -> None:
    assert train(features, tiny_bert, tmp_path, precision="bf16", max_train_rows=60) == 0
    assert weights(tmp_path)["classifier.weight"].dtype == torch.float32


@pytest.mark.parametrize(
    ("flags", "bf16"),
    [("avx2 avx512f avx512_bf16 avx512_vnni", True), ("fp asimd bf16 i8mm", True), ("avx2 avx512f avx512bw", False)],
)
def test_bf16_is_chosen_by_the_processors_instructions(tmp_path: Path, flags: str, bf16: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    gains = load("train", "precision").gains_by_bf16
    assert gains(torch.device("cpu"), tmp_path / "cpuinfo") is bf16
    assert gains(torch.device("cpu"), tmp_path / "none") is False


def test_a_base_model_channel_goes_before_the_hyperparameter(features: Path, tiny_bert: Path, tmp_path: Path) -> None:
    channel = {"base_model_channel": tiny_bert, "max_train_rows": 60}
    assert train(features, Path("nobody/no-such-model"), tmp_path, **channel) == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train": "/nowhere"}, "no Parquet file in /nowhere"),
        ({"base_model": "nobody/no-such-model"}, "'nobody/no-such-model'"),
        ({"max_seq_length": 4096}, "max_seq_length 4096 is more than the 64"),
    ],
)
def test_what_cannot_be_used_ends_in_a_sentence_on_the_log_and_as_the_failure_reason(
    features: Path,
    tiny_bert: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    said: str,
) -> None:
    given = {"base_model": tiny_bert, **settings}
    assert train(features, given.pop("base_model"), tmp_path, **given) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert said in (tmp_path / "output" / "failure").read_text()
    assert not (tmp_path / "model").exists()


def test_features_made_for_another_base_model_are_refused(
    features: Path, tiny_roberta: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(features, tiny_roberta, tmp_path) == 2
    assert "another base model" in capsys.readouterr().err


class _Interrupted(Exception):
    pass


def test_a_training_killed_in_mid_epoch_goes_on_and_ends_with_the_same_model(
    features: Path, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"epochs": 2, "max_train_rows": 200, "max_epoch_rows": 300, "train_batch_size": 16}
    assert train(features, tiny_bert, tmp_path / "whole", **settings) == 0

    script = load("train")
    arguments = _arguments(features, tiny_bert, tmp_path / "cut", settings)
    monkeypatch.setattr(script, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    monkeypatch.setattr(script.Trainer, "stop_or_save", _die_after(script.Trainer.stop_or_save, steps=25))
    with pytest.raises(_Interrupted):
        script.main(arguments)
    assert not (tmp_path / "cut" / "model").exists()

    assert train(features, tiny_bert, tmp_path / "cut", **settings) == 0
    assert "going on from the checkpoint: epoch 2, step 6" in capsys.readouterr().out
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert history(tmp_path / "whole") == history(tmp_path / "cut")


def _die_after(stop_or_save: Callable[[object], None], steps: int) -> Callable[[object], None]:
    done = []

    def wrapped(trainer: object) -> None:
        stop_or_save(trainer)
        done.append(1)
        if len(done) == steps:
            raise _Interrupted

    return wrapped


def _arguments(features: Path, base_model: Path, folder: Path, settings: Mapping[str, object]) -> list[str]:
    return [
        str(word)
        for name, value in settings_for(features, base_model, folder, settings).items()
        for word in (f"--{name}", value)
    ]


def test_sigterm_writes_a_checkpoint_and_ends(features: Path, tiny_bert: Path, tmp_path: Path) -> None:
    settings = {"epochs": 20, "train_batch_size": 8}
    script = bundle("train") / "train.py"
    process = subprocess.Popen(
        [sys.executable, str(script), *_arguments(features, tiny_bert, tmp_path, settings)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "val_acc" in line:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "checkpoints" / "checkpoint.pt").exists()
    # The best epoch so far is a model: SageMaker keeps what a stopped job has left.
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_a_checkpoint_of_other_settings_or_a_broken_one_is_not_used(
    features: Path, tiny_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(features, tiny_bert, tmp_path, max_train_rows=60) == 0
    assert train(features, tiny_bert, tmp_path, max_train_rows=60, learning_rate=1e-3) == 0
    assert "other settings (learning_rate), training from the beginning" in capsys.readouterr().out
    (tmp_path / "checkpoints" / "checkpoint.pt").write_bytes(b"half a file")
    assert train(features, tiny_bert, tmp_path, max_train_rows=60) == 0
    assert "cannot be read, training from the beginning" in capsys.readouterr().out


def test_a_finished_training_that_is_started_again_only_saves(
    features: Path, tiny_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(features, tiny_bert, tmp_path, max_train_rows=60) == 0
    before = weights(tmp_path)
    capsys.readouterr()
    shutil.rmtree(tmp_path / "model")
    assert train(features, tiny_bert, tmp_path, max_train_rows=60) == 0
    assert "epoch 1/1" not in capsys.readouterr().out
    assert all(torch.equal(before[name], value) for name, value in weights(tmp_path).items())


def test_two_instances_train_the_model_that_one_trains(features: Path, tiny_bert: Path, tmp_path: Path) -> None:
    settings = {"epochs": 1, "max_train_rows": 130, "max_epoch_rows": 150, "train_batch_size": 16, "seed": 3}
    # Dropout draws differ between processes: without it the arithmetic is the same.
    quiet = tmp_path / "base"
    shutil.copytree(tiny_bert, quiet)
    config = json.loads((quiet / "config.json").read_text())
    (quiet / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.0}))
    assert train(features, quiet, tmp_path / "one", **settings) == 0

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", f"--node_rank={rank}"),
                *("--nproc_per_node=1", "--master_addr=127.0.0.1", f"--master_port={port}"),
                str(bundle("train") / "train.py"),
                *_arguments(features, quiet, tmp_path / "two", settings),
            ],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        for rank in range(2)
    ]
    deadline = time.monotonic() + 120
    try:
        assert [process.wait(max(1, deadline - time.monotonic())) for process in processes] == [0, 0]
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(torch.allclose(one[name], two[name], atol=2e-3) for name in one)
    assert history(tmp_path / "one")["best"]["val_loss"] == pytest.approx(
        history(tmp_path / "two")["best"]["val_loss"], abs=2e-3
    )
