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
