"""The evaluate job: its figures, its files, and archives it refuses."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from jobs_kit import files, load, run, split
from PIL import Image
from sklearn.metrics import f1_score


@pytest.fixture
def judged(trained: Path, features: Path, tmp_path: Path) -> Path:
    """The input of the job: the trained model's archive and the test split."""
    shutil.make_archive(str(tmp_path / "in" / "model" / "model"), "gztar", trained / "model")
    shutil.copytree(features / "test", tmp_path / "in" / "test")
    return tmp_path / "in"


def test_report_picture_and_errors_are_written_and_agree(judged: Path, features: Path, tmp_path: Path) -> None:
    assert run("evaluate", input=judged, output=tmp_path / "out") == 0
    folder = tmp_path / "out" / "report"
    assert files(folder) == ["confusion_matrix.png", "evaluation.json", "misclassified.csv", "predictions.csv"]
    report = json.loads((folder / "evaluation.json").read_text())
    values = {name: figure["value"] for name, figure in report["metrics"].items()}
    matrix = np.array(values["confusion_matrix"])
    assert matrix.sum() == report["reviews"] == len(split(features, "test"))
    assert values["accuracy"] == pytest.approx(matrix.trace() / matrix.sum())
    assert values["accuracy"] > 0.5
    assert [values["per_class"][name]["support"] for name in ("-1", "0", "1")] == matrix.sum(axis=1).tolist()
    with open(folder / "misclassified.csv", encoding="utf-8", newline="") as text:
        errors = list(csv.DictReader(text))
    assert len(errors) == matrix.sum() - matrix.trace()
    with open(folder / "predictions.csv", encoding="utf-8", newline="") as text:
        predictions = list(csv.DictReader(text))
    assert [row["review_id"] for row in predictions] == [row["review_id"] for row in split(features, "test")]
    wrong = {row["review_id"] for row in predictions if row["predicted_label"] != row["sentiment"]}
    assert wrong == {row["review_id"] for row in errors}
    sureness = [float(row["probability"]) for row in errors]
    assert sureness == sorted(sureness, reverse=True)
    assert all(row["sentiment"] != row["predicted_label"] for row in errors)
    assert Image.open(folder / "confusion_matrix.png").width > 600


def test_macro_f1_is_scikit_learns_over_the_classes_that_occur() -> None:
    measure = load("evaluate").measure
    true, predicted = np.array([-1, -1, 0, 1, 1, 1]), np.array([-1, 0, 0, 1, 1, -1])
    value = measure(true, predicted)["metrics"]["macro_f1"]["value"]
    assert value == pytest.approx(f1_score(true, predicted, average="macro"))
    two = measure(np.array([-1, 1]), np.array([-1, 1]))["metrics"]
    assert two["macro_f1"]["value"] == 1.0 and two["confusion_matrix"]["value"] == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_the_natural_mix_weighs_each_class_by_its_share_of_the_training_split() -> None:
    natural_mix = load("evaluate", "natural_mix").natural_mix
    true, predicted = np.array([-1, -1, 0, 0, 1, 1]), np.array([-1, 0, 0, 0, 1, 0])
    shares = np.array([0.1, 0.2, 0.7]), np.full(3, 1 / 3)
    report = natural_mix(true, predicted, None, shares)
    assert report["accuracy"] == pytest.approx(0.1 * 0.5 + 0.2 * 1.0 + 0.7 * 0.5)
    assert report["standard_error"] == pytest.approx((0.1**2 * 0.125 + 0.7**2 * 0.125) ** 0.5)
    assert "prior_corrected" not in report


def test_the_prior_correction_moves_unsure_answers_to_the_common_class() -> None:
    natural_mix = load("evaluate", "natural_mix").natural_mix
    odds = np.array([[0.9, 0.1, 0.0], [0.1, 0.5, 0.4]])
    true, predicted = np.array([-1, 1]), np.array([-1, 0])
    report = natural_mix(true, predicted, odds, (np.array([0.2, 0.2, 0.6]), np.full(3, 1 / 3)))
    assert report["accuracy"] == pytest.approx(0.25)
    assert report["prior_corrected"]["accuracy"] == pytest.approx(1.0)
    learned = natural_mix(true, predicted, odds, (np.array([0.2, 0.2, 0.6]), np.array([0.2, 0.2, 0.6])))
    assert learned["prior_corrected"]["accuracy"] == learned["accuracy"]


def test_the_report_has_the_natural_mix_of_a_trained_model(
    judged: Path, features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", input=judged, output=tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "report" / "evaluation.json").read_text())
    labels = [row["sentiment"] for row in split(features, "train")]
    shares = {str(value): pytest.approx(labels.count(value) / len(labels), abs=1e-6) for value in (-1, 0, 1)}
    assert report["natural_mix"]["class_shares"] == shares
    recalls = {name: one["recall"] for name, one in report["metrics"]["per_class"]["value"].items()}
    expected = sum(report["natural_mix"]["class_shares"][name] * recall for name, recall in recalls.items())
    assert report["natural_mix"]["accuracy"] == pytest.approx(expected, abs=1e-5)
    assert 0 < report["natural_mix"]["prior_corrected"]["accuracy"] <= 1
    assert "estimated on the natural mix, prior-corrected: " in capsys.readouterr().out


def test_an_archive_that_does_not_say_its_shares_has_no_natural_mix(judged: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(judged / "model" / "model.tar.gz", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    del config["learned_shares"]
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    shutil.make_archive(str(judged / "model" / "model"), "gztar", tmp_path / "model")
    assert run("evaluate", input=judged, output=tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "report" / "evaluation.json").read_text())
    assert "natural_mix" not in report and report["metrics"]["accuracy"]["value"] > 0.5


def test_it_judges_what_the_archives_own_code_predicts(judged: Path, tmp_path: Path) -> None:
    code = (
        "import json\n"
        "def model_fn(folder): return None\n"
        "def input_fn(body, kind): return [json.loads(line) for line in body.splitlines()]\n"
        "def predict_fn(data, model): return len(data)\n"
        'def output_fn(n, accept): return \'{"predicted_label": 0, "probability": 1.0}\\n\' * n\n'
    )
    archive_of(judged / "model" / "model.tar.gz", {"code/inference.py": code})
    assert run("evaluate", input=judged, output=tmp_path / "out") == 0
    metrics = json.loads((tmp_path / "out" / "report" / "evaluation.json").read_text())["metrics"]
    assert metrics["accuracy"]["value"] == pytest.approx(1 / 3)
    assert [row[1] > 0 and row[0] == row[2] == 0 for row in metrics["confusion_matrix"]["value"]] == [True] * 3


def test_a_model_that_offers_bf16_is_asked_to_use_it(judged: Path, tmp_path: Path) -> None:
    code = (
        "class Model:\n"
        "    label = -1\n"
        "    def allow_bf16(self): self.label = 1\n"
        "def model_fn(folder): return Model()\n"
        "def input_fn(body, kind): return body.splitlines()\n"
        "def predict_fn(data, model): return [model.label] * len(data)\n"
        "def output_fn(labels, accept):\n"
        '    return "".join(f\'{{"predicted_label": {label}, "probability": 1.0}}\\n\' for label in labels)\n'
    )
    archive_of(judged / "model" / "model.tar.gz", {"code/inference.py": code})
    assert run("evaluate", input=judged, output=tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "report" / "evaluation.json").read_text())
    assert [row[:2] for row in report["metrics"]["confusion_matrix"]["value"]] == [[0, 0]] * 3


def archive_of(path: Path, members: dict[str, str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))


def refused(judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run("evaluate", input=judged, output=tmp_path / "out") == 2
    assert files(tmp_path / "out") == []
    return capsys.readouterr().err


def test_no_archive_or_a_damaged_one_is_refused(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = judged / "model" / "model.tar.gz"
    archive.write_bytes(archive.read_bytes()[:2000])
    assert "cannot be unpacked" in refused(judged, tmp_path, capsys)
    archive.unlink()
    assert "there must be one model archive" in refused(judged, tmp_path, capsys)


@pytest.mark.parametrize("name", ["../outside.py", "/tmp/outside.py"])
def test_an_archive_whose_members_lead_out_leaves_nothing_outside(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    archive_of(judged / "model" / "model.tar.gz", {name: "print('out')"})
    refused(judged, tmp_path, capsys)
    assert not list(tmp_path.rglob("outside.py")) and not Path("/tmp/outside.py").exists()


def test_an_archive_without_serving_code_is_refused(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive_of(judged / "model" / "model.tar.gz", {"config.json": "{}"})
    assert "no code/inference.py" in refused(judged, tmp_path, capsys)


def test_a_test_split_that_is_missing_or_something_else_is_refused(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in (judged / "test").iterdir():
        part.write_bytes(b"not parquet")
    assert "not one of the features job" in refused(judged, tmp_path, capsys)
    shutil.rmtree(judged / "test")
    assert "no .parquet file" in refused(judged, tmp_path, capsys)
