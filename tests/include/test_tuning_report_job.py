"""The training jobs of a tuning job as tables and a chart."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jobs_kit import files, run
from PIL import Image

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)
METRIC = "validation:accuracy"


def trial(number: int, value: float | None, rate: float = 1e-4, batch: str = "32", **more: Any) -> dict[str, Any]:
    metric = {"Type": "Maximize", "MetricName": METRIC, "Value": value}
    return {
        "TrainingJobName": f"job-{number:03d}",
        "TrainingJobStatus": "Completed",
        "CreationTime": BEGAN + timedelta(seconds=number),
        "TrainingStartTime": BEGAN,
        "TrainingEndTime": BEGAN + timedelta(seconds=100 + number),
        "TunedHyperParameters": {"learning_rate": str(rate), "batch": batch},
        **({"FinalHyperParameterTuningJobObjectiveMetric": metric} if value is not None else {}),
        **more,
    }


class SageMaker:
    """A tuning job whose training jobs come in pages of two."""

    def __init__(self) -> None:
        self.trials: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.direction = "Maximize"
        self.more: dict[str, Any] = {}

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> dict[str, Any]:
        assert HyperParameterTuningJobName == "job"
        if self.error:
            raise self.error
        ranges = {
            "ContinuousParameterRanges": [{"Name": "learning_rate", "ScalingType": "Logarithmic"}],
            "CategoricalParameterRanges": [{"Name": "batch", "Values": ["16", "32", '"all"']}],
            "IntegerParameterRanges": [],
        }
        objective = {"Type": self.direction, "MetricName": METRIC}
        config = {"Strategy": "Random", "HyperParameterTuningJobObjective": objective, "ParameterRanges": ranges}
        return {"HyperParameterTuningJobConfig": config} | self.more

    def get_paginator(self, operation: str) -> SageMaker:
        assert operation == "list_training_jobs_for_hyper_parameter_tuning_job"
        return self

    def paginate(self, HyperParameterTuningJobName: str) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self.trials), 2):
            yield {"TrainingJobSummaries": self.trials[start : start + 2]}


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> SageMaker:
    made = SageMaker()
    monkeypatch.setattr("boto3.client", lambda service, region_name: made)
    return made


def report(folder: Path, **arguments: Any) -> int:
    words = {"job-name": "job", "output": folder / "out", "reason": folder / "a/b/message"}
    return run("tuning_report", **words, **arguments)


def test_all_trials_are_listed_best_first_with_what_became_of_the_others(tmp_path: Path, sagemaker: SageMaker) -> None:
    failed = trial(2, None, 2e-4, '"all"', TrainingJobStatus="Failed", FailureReason="out of | memory")
    sagemaker.trials = [
        trial(3, 70.5, 1.23456e-4, "16", TrainingJobStatus="Stopped"),
        failed,
        trial(1, 71.25, 9e-5),
    ]
    sagemaker.more = {
        "WarmStartConfig": {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "earlier"}]}
    }
    assert report(tmp_path, synthetic="True") == 0
    folder = tmp_path / "out" / "report"
    assert files(folder) == ["trials.csv", "trials.json", "trials.md", "trials.png"]
    said = json.loads((folder / "trials.json").read_text())
    assert (said["strategy"], said["metric"], said["started_from"], said["synthetic"]) == (
        "Random",
        METRIC,
        ["earlier"],
        True,
    )
    assert [(row["number"], row["value"]) for row in said["trials"]] == [(1, 71.25), (3, 70.5), (2, None)]
    assert said["trials"][2]["hyperparameters"] == {"batch": "all", "learning_rate": "0.0002"}
    lines = (folder / "trials.md").read_text().splitlines()
    assert lines[0] == "# SYNTHETIC: Training jobs of job"
    assert lines[2] == f"Random, Maximize {METRIC}, 3 training jobs. Started from earlier."
    assert lines[6:] == [
        "| 1 | 71.2500 | 32 | 9e-05 | 1 min 41 s | Completed | job-001 |",
        "| 2 | 70.5000 | 16 | 0.0001235 | 1 min 43 s | Stopped | job-003 |",
        "| 3 | none | all | 0.0002 | 1 min 42 s | Failed: out of \\| memory | job-002 |",
    ]
    rows = list(csv.DictReader(io.StringIO((folder / "trials.csv").read_text())))
    assert [(row["name"], row[METRIC], row["learning_rate"], row["batch"]) for row in rows] == [
        ("job-001", "71.25", "9e-05", "32"),
        ("job-003", "70.5", "0.000123456", "16"),
        ("job-002", "", "0.0002", "all"),
    ]


def test_an_objective_that_is_to_be_small_is_best_small(tmp_path: Path, sagemaker: SageMaker) -> None:
    sagemaker.direction = "Minimize"
    sagemaker.trials = [trial(1, 0.5), trial(2, 0.9), trial(3, 0.1)]
    assert report(tmp_path) == 0
    said = json.loads((tmp_path / "out/report/trials.json").read_text())
    assert [row["number"] for row in said["trials"]] == [3, 1, 2]


def test_of_several_definitions_each_trial_has_the_hyperparameters_of_its_own(
    tmp_path: Path, sagemaker: SageMaker
) -> None:
    objective = {"TuningObjective": {"Type": "Maximize", "MetricName": METRIC}}
    layers, rates = ([{"Name": name, "ScalingType": "Auto"}] for name in ("layers", "rate"))
    sagemaker.more = {
        "HyperParameterTuningJobConfig": {"Strategy": "Bayesian"},
        "TrainingJobDefinitions": [
            {**objective, "HyperParameterRanges": {"IntegerParameterRanges": layers}},
            {**objective, "HyperParameterRanges": {"ContinuousParameterRanges": rates}},
        ],
    }
    small, large = trial(1, 60), trial(2, 70)
    small |= {"TrainingJobDefinitionName": "small", "TunedHyperParameters": {"layers": "2"}}
    large |= {"TrainingJobDefinitionName": "large", "TunedHyperParameters": {"rate": "0.1"}}
    sagemaker.trials = [small, large]
    assert report(tmp_path) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/report/trials.csv").read_text())))
    found = [(row["definition"], row["layers"], row["rate"]) for row in rows]
    assert found == [("large", "", "0.1"), ("small", "2", "")]


def test_seven_hundred_trials_make_a_table_that_can_be_read_and_a_file_with_all(
    tmp_path: Path, sagemaker: SageMaker
) -> None:
    sagemaker.trials = [trial(number, number / 10, 1e-5 * number) for number in range(1, 751)]
    assert report(tmp_path) == 0
    folder = tmp_path / "out" / "report"
    lines = (folder / "trials.md").read_text().splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 51
    assert lines[-1] == "And 700 more: all of them are in trials.csv."
    assert len((folder / "trials.csv").read_text().splitlines()) == 751


def test_the_chart_shows_the_trials_and_made_up_reviews_are_marked(tmp_path: Path, sagemaker: SageMaker) -> None:
    pictures = []
    for name, values, synthetic in (("a", [60, 70], "false"), ("b", [60, 70], "true"), ("c", [70, 60], "false")):
        sagemaker.trials = [trial(number, value) for number, value in enumerate(values, start=1)]
        assert report(tmp_path / name, synthetic=synthetic) == 0
        picture = Image.open(tmp_path / name / "out/report/trials.png").convert("RGB")
        assert picture.width > 800 and len(picture.getcolors(1 << 24) or ()) > 20
        pictures.append(picture.tobytes())
    assert len(set(pictures)) == 3


def test_trials_of_which_none_has_an_objective_are_shown_too(tmp_path: Path, sagemaker: SageMaker) -> None:
    sagemaker.trials = [trial(1, None, TrainingJobStatus="Failed"), trial(2, float("nan"))]
    assert report(tmp_path) == 0
    assert json.loads((tmp_path / "out/report/trials.json").read_text())["trials"][1]["value"] is None


def test_a_job_that_is_not_there_or_has_no_training_job_is_named(
    tmp_path: Path, sagemaker: SageMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    from botocore.exceptions import ClientError

    assert report(tmp_path) == 2
    assert "the tuning job job has no training job" in capsys.readouterr().err
    sagemaker.error = ClientError({"Error": {"Code": "ResourceNotFound", "Message": "no such job"}}, "Describe")
    assert report(tmp_path) == 2
    assert "the tuning job job cannot be described" in capsys.readouterr().err
    assert files(tmp_path / "out") == []
