"""The compile job: what it writes, that the twin answers like its original, and what it refuses."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from jobs_kit import bundle, files, job_folder, load, run, split
from training_kit import train
from transformers import AutoModelForSequenceClassification

GOOD = "love the perfect color, gorgeous and comfortable"
BAD = "awful and cheap, i returned the top"


def given(model: Path, features: Path, folder: Path) -> Path:
    """The input of the job: a model folder's archive and the validation split."""
    shutil.make_archive(str(folder / "model" / "model"), "gztar", model)
    shutil.copytree(features / "validation", folder / "validation")
    return folder


@pytest.fixture(scope="module")
def compiled(trained: Path, features: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job's output for the tiny BERT, unpacked in ``twin/``; its input in ``in/``."""
    folder = tmp_path_factory.mktemp("compiled")
    assert run("compile", input=given(trained / "model", features, folder / "in"), output=folder / "out") == 0
    with tarfile.open(folder / "out" / "model" / "model.tar.gz") as archive:
        archive.extractall(folder / "twin", filter="data")
    return folder


def ask(model: Path, *lines: str, program: str = "inference.py") -> list[dict[str, Any]]:
    """What an archive's code answers, in a process of its own."""
    command = [sys.executable, str(model / "code" / program), str(model)]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def features_of(*texts: str) -> list[str]:
    return [json.dumps({"features": [text]}) for text in texts]


def test_archive_has_model_tokenizer_code_and_requirements(compiled: Path) -> None:
    twin = files(compiled / "twin")
    assert [name for name in twin if name.startswith("code/")] == [
        "code/classifier.py",
        "code/inference.py",
        "code/model_input.py",
        "code/ngrams.py",
        "code/requirements.txt",
    ]
    assert {"model.onnx", "ngrams.npz", "config.json", "tokenizer.json", "tokenizer_config.json"} <= set(twin)
    assert "model.safetensors" not in twin
    assert (compiled / "twin" / "code" / "requirements.txt").read_text().startswith("onnxruntime>=")


def test_weights_of_the_layers_have_eight_bits(compiled: Path) -> None:
    model = onnx.load(compiled / "twin" / "model.onnx")
    operations = [node.op_type for node in model.graph.node]
    # 2 layers x (query, key, value, 3 dense), pooler and classifier.
    assert operations.count("MatMulInteger") == 14
    eight = {tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    assert len(eight) >= 14


def test_report_tells_sizes_accuracies_agreement_and_seconds(compiled: Path, features: Path) -> None:
    report = json.loads((compiled / "out" / "report" / "report.json").read_text())
    assert report["reviews"] == len(split(features, "validation"))
    before, after = report["original"], report["compiled"]
    assert before["bytes"] == (compiled / "in" / "model" / "model.tar.gz").stat().st_size
    assert after["bytes"] == (compiled / "out" / "model" / "model.tar.gz").stat().st_size
    assert before["accuracy"] > 0.5 and before["accuracy"] - after["accuracy"] <= 0.006 + 1e-9
    assert after["agreement"] > 0.9
    assert before["milliseconds"] > 0 and after["milliseconds"] > 0 and report["seconds"] > 0
    assert report["synthetic"] is False
    assert len(report["tried"]) == 4
    assert after["agreement"] == max(one["agreement"] for one in report["tried"])


def test_report_is_what_the_two_archives_answer(compiled: Path, trained: Path, features: Path) -> None:
    rows = split(features, "validation")
    lines = features_of(*(row["review_body"] for row in rows))
    pairs = [ask(model, *lines) for model in (trained / "model", compiled / "twin")]
    original, twin = ([one["predicted_label"] for one in answers] for answers in pairs)
    report = json.loads((compiled / "out" / "report" / "report.json").read_text())
    true = [row["sentiment"] for row in rows]
    for figures, labels in ((report["original"], original), (report["compiled"], twin)):
        assert figures["accuracy"] == pytest.approx(sum(map(int.__eq__, labels, true)) / len(true))
    assert report["compiled"]["agreement"] == pytest.approx(sum(map(int.__eq__, original, twin)) / len(true))
    for mine, theirs in zip(*pairs, strict=True):
        if mine["predicted_label"] == theirs["predicted_label"]:
            assert mine["probability"] == pytest.approx(theirs["probability"], abs=0.15)


def test_twin_is_judged_like_any_model_archive(compiled: Path, features: Path, tmp_path: Path) -> None:
    shutil.copytree(compiled / "out" / "model", tmp_path / "in" / "model")
    shutil.copytree(features / "test", tmp_path / "in" / "test")
    assert run("evaluate", input=tmp_path / "in", output=tmp_path / "out") == 0
    metrics = json.loads((tmp_path / "out" / "report" / "evaluation.json").read_text())["metrics"]
    assert metrics["accuracy"]["value"] > 0.5


def test_twin_takes_and_refuses_what_the_original_does(compiled: Path) -> None:
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1] + '/code'); import inference\n"
        "model = inference.model_fn(sys.argv[1])\n"
        "for kind, accept, body in json.load(sys.stdin):\n"
        "    try: said = inference.output_fn(inference.predict_fn(inference.input_fn(body, kind), model), accept)\n"
        "    except ValueError as error: said = f'ValueError: {error}'\n"
        "    print(json.dumps(said))\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    lines, plain, table = "application/jsonlines", "application/json", "text/csv"
    requests = [
        (lines, lines, "\n".join(features_of(GOOD, BAD))),
        (plain, plain, json.dumps([GOOD, BAD])),
        (table, table, f'"{GOOD}"\r\n"{BAD}"\r\n'),
        (lines, lines, "\n"),
        (lines, lines, '{"text": "no"}'),
        ("image/png", lines, "x"),
        (lines, lines, "\n".join(features_of("", " ", "👗💖", "a \0 b", "word " * 200_000, "x" * 1_000_000))),
    ]
    command = [sys.executable, "-c", code, str(compiled / "twin")]
    done = subprocess.run(command, input=json.dumps(requests), capture_output=True, text=True, check=True)
    by_lines, by_json, by_csv, nothing, without, unknown, odd = map(json.loads, done.stdout.splitlines())
    assert [json.loads(line)["predicted_label"] for line in by_lines.splitlines()] == [1, -1]
    assert [one["predicted_label"] for one in json.loads(by_json)] == [1, -1]
    assert [row.split(",")[0] for row in by_csv.splitlines()] == ["1", "-1"]
    assert nothing == "" and "line 1 has no text" in without and "'image/png' is not one of" in unknown
    assert len(odd.splitlines()) == 6


def test_an_answer_does_not_depend_on_the_other_texts(compiled: Path) -> None:
    texts = [GOOD, BAD, "it is okay", "wore the dress " * 9, "short"]
    together = ask(compiled / "twin", *features_of(*texts))
    assert [ask(compiled / "twin", *features_of(text))[0] for text in texts] == together


def test_roberta_is_compiled_too(features: Path, table: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    own = tmp_path / "features"
    assert run("features", input=table, output=own, **{"base-model": tiny_roberta, "max-seq-length": 48}) == 0
    assert train(own, tiny_roberta, tmp_path / "trained", epochs=8) == 0
    source = given(tmp_path / "trained" / "model", own, tmp_path / "in")
    assert run("compile", input=source, output=tmp_path / "out", **{"most-loss": 0.03}) == 0
    report = json.loads((tmp_path / "out" / "report" / "report.json").read_text())
    assert report["original"]["accuracy"] > 0.5 and report["compiled"]["agreement"] > 0.9


def test_export_without_quantisation_computes_the_same(trained: Path, tiny_roberta: Path, tmp_path: Path) -> None:
    import onnxruntime

    roberta = tmp_path / "roberta"
    torch.manual_seed(3)
    AutoModelForSequenceClassification.from_pretrained(tiny_roberta, num_labels=3).save_pretrained(roberta)
    for folder, padding in ((trained / "model", 0), (roberta, 1)):
        load("compile", "exporting").export(folder, tmp_path / "float.onnx")
        session = onnxruntime.InferenceSession(str(tmp_path / "float.onnx"))
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        for rows, length in ((1, 3), (3, 17), (2, 48)):
            ids = torch.randint(5, 100, (rows, length))
            mask = torch.ones_like(ids)
            mask[-1, length - 1 :] = 0
            ids[mask == 0] = padding
            with torch.inference_mode():
                expected = model(input_ids=ids, attention_mask=mask).logits.numpy()
            (got,) = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
            assert got == pytest.approx(expected, abs=1e-5)


def refused(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], **arguments: Any) -> str:
    assert run("compile", input=source, output=tmp_path / "out", **arguments) == 2
    assert files(tmp_path / "out") == []
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and said.startswith("compile: ")
    return said


def test_a_model_that_eight_bits_spoil_is_refused(
    trained: Path, features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One number of each layer's values is made huge and divided out again: the same function, in floats."""
    # The linear model beside the encoder alone knows these reviews.
    plain, folder = (tmp_path / name for name in ("plain", "stretched"))
    for copy in (plain, folder):
        shutil.copytree(trained / "model", copy, ignore=shutil.ignore_patterns("ngrams.npz"))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            value, after = layer.attention.self.value, layer.attention.output.dense
            value.weight[0] *= 2.0**16
            value.bias[0] = value.bias[0] * 2.0**16 + 2.0**16
            after.bias -= after.weight[:, 0]
            after.weight[:, 0] /= 2.0**16
    model.save_pretrained(folder)
    texts = [row["review_body"] for row in split(features, "validation")]
    labels = [
        [one["predicted_label"] for one in load("train", "classifier").load(path)(texts)] for path in (plain, folder)
    ]
    assert sum(map(int.__eq__, *labels)) / len(texts) > 0.98, "in floats the two answer alike"
    said = refused(given(folder, features, tmp_path / "in"), tmp_path, capsys)
    assert "the accuracy falls from" in said and "by more than 0.006" in said and "--most-loss" in said
    script = load("compile")
    monkeypatch.setattr(script, "QUANTISATIONS", script.QUANTISATIONS[:1])
    words = [f"--input={tmp_path / 'in'}", f"--output={tmp_path / 'out'}", "--most-loss=1"]
    with job_folder(bundle("compile")):
        assert script.main(words) == 0


@pytest.mark.parametrize("loss", ["-0.1", "1.5", "much"])
def test_a_loss_that_is_no_share_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], loss: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("compile", input=tmp_path, output=tmp_path / "out", **{"most-loss": loss})
    assert ended.value.code == 2 and "--most-loss" in capsys.readouterr().err


@pytest.fixture
def source(trained: Path, features: Path, tmp_path: Path) -> Path:
    return given(trained / "model", features, tmp_path / "in")


def test_no_archive_or_a_damaged_one_is_refused(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = source / "model" / "model.tar.gz"
    archive.write_bytes(archive.read_bytes()[:2000])
    assert "cannot be unpacked" in refused(source, tmp_path, capsys)
    archive.unlink()
    assert "there must be one model archive" in refused(source, tmp_path, capsys)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (["code"], "no code/inference.py"),
        (["config.json"], "no config.json: is it one of the train job?"),
        (["tokenizer.json"], "no tokenizer.json"),
        (["code/classifier.py"], "the code of the model archive fails: ModuleNotFoundError"),
        (["model.safetensors"], "the code of the model archive fails"),
    ],
)
def test_an_archive_of_another_layout_is_refused(
    trained: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], gone: list[str], said: str
) -> None:
    folder = tmp_path / "less"
    shutil.copytree(trained / "model", folder)
    for name in gone:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.make_archive(str(source / "model" / "model"), "gztar", folder)
    assert said in refused(source, tmp_path, capsys)


def test_a_tokenizer_that_knows_no_longest_input_is_refused(
    trained: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "endless"
    shutil.copytree(trained / "model", folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": int(1e30)}))
    shutil.make_archive(str(source / "model" / "model"), "gztar", folder)
    assert "has no model_max_length" in refused(source, tmp_path, capsys)


def test_a_compiled_archive_is_not_compiled_again(
    compiled: Path, features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "cannot be loaded" in refused(given(compiled / "twin", features, tmp_path / "in"), tmp_path, capsys)


def test_code_that_answers_too_little_is_refused(
    trained: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "silent"
    shutil.copytree(trained / "model", folder)
    with open(folder / "code" / "inference.py", "a") as code:
        code.write("\ndef output_fn(prediction, accept): return ''\n")
    shutil.make_archive(str(source / "model" / "model"), "gztar", folder)
    assert "gives 0 answers to" in refused(source, tmp_path, capsys)


def test_a_validation_split_that_is_missing_or_something_else_is_refused(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in (source / "validation").iterdir():
        part.write_bytes(b"not parquet")
    assert "the validation split is not one of the features job" in refused(source, tmp_path, capsys)
    shutil.rmtree(source / "validation")
    assert "no .parquet file of a validation split" in refused(source, tmp_path, capsys)


def test_the_same_folder_is_packed_to_the_same_bytes(tmp_path: Path) -> None:
    pack = load("compile", "model_archive").pack
    digests = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "a.py").write_text("pass\n")
        (folder / "b").write_bytes(b"0" * 1000)
        pack(folder, tmp_path / f"{name}.tar.gz")
        digests.add(hashlib.sha256((tmp_path / f"{name}.tar.gz").read_bytes()).hexdigest())
    assert len(digests) == 1
    with tarfile.open(tmp_path / "one.tar.gz") as archive:
        assert sorted(archive.getnames()) == ["b", "code/a.py"]


def test_missing_libraries_are_installed_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    dependencies, job = load("compile", "dependencies"), load("compile", "job")
    commands: list[list[str]] = []
    answers = [(0, ""), (1, "ERROR: no matching distribution\n")]

    def pip(command: list[str], **_: Any) -> Any:
        commands.append(command)
        status, said = answers[len(commands) - 1]
        return subprocess.CompletedProcess(command, status, "", said)

    dependencies.ensure()
    assert commands == []
    monkeypatch.setattr(dependencies, "MODULES", ("json", "no_such_module"))
    monkeypatch.setattr(dependencies.subprocess, "run", pip)
    dependencies.ensure()
    assert commands[0][1:4] == ["-m", "pip", "install"]
    assert commands[0][-1] == str(bundle("compile") / "requirements.txt")
    with pytest.raises(Exception, match="no_such_module cannot be installed: ERROR: no matching") as failure:
        dependencies.ensure()
    assert type(failure.value).__name__ == job.Unavailable.__name__


def test_an_archive_whose_members_lead_out_leaves_nothing_outside(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(source / "model" / "model.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../outside.py")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"pass"))
    refused(source, tmp_path, capsys)
    assert not list(tmp_path.rglob("outside.py"))
