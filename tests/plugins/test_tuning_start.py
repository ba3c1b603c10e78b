"""What a run of `tune_sentiment` starts from: against localaws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from operator_kit import BUCKET, IMAGE, ROLE, Airflow, FakeTask

from amazon_ml.operators.tuning import TuningJobOperator
from amazon_ml.specs.tuning import TuningJobSpec, categorical
from include.retraining import tuning

SCRIPT = "import os, pathlib\nprint('val_acc: 0.5')\npathlib.Path(os.environ['SM_MODEL_DIR'], 'm').write_text('m')\n"
KNOWN = {"inputs": {"inputs-data": "of today"}}
OWN = {"train": f"s3://{BUCKET}/own/train/", "validation": f"s3://{BUCKET}/own/validation/"}


class House:
    """The runs of one DAG, whose id no other test has."""

    def __init__(self, aws: Any, airflow: Airflow, source: Path, dag_id: str) -> None:
        self.airflow, self.source, self.dag_id = airflow, source, dag_id
        (source / "main.py").write_text(SCRIPT)
        for name in ("own", "old", "new"):
            for split in ("train", "validation"):
                aws("s3").put_object(Bucket=BUCKET, Key=f"{name}/{split}/data", Body=b"1")

    def decide(self, run_id: str, warm_start: str, known: Any = KNOWN) -> dict[str, Any]:
        params = {"warm_start": warm_start, "base_model": "m", "text": "body"}
        return tuning.start_from(OWN, known, params, FakeTask(self.dag_id, "start_from", run_id))

    def tune(self, run_id: str, folder: str, features: str, parent: str = "", task_id: str = "tune") -> str:
        """Tune from the splits in a folder; the job's name."""
        spec = TuningJobSpec(
            image_uri=IMAGE,
            role_arn=ROLE,
            bucket=BUCKET,
            source_dir=str(self.source),
            entry_point="main.py",
            instance_type="ml.m5.large",
            objective_metric="accuracy",
            max_jobs=1,
            max_parallel=1,
        )
        channels = {split: f"s3://{BUCKET}/{folder}/{split}/" for split in OWN}

        def make() -> TuningJobOperator:
            return TuningJobOperator(
                task_id=task_id,
                job=replace(spec, warm_start_from=parent),
                ranges={"x": categorical(1, 2, 3, 4)},
                metric_regexes={"accuracy": "val_acc: ([0-9.]+)"},
                channels=channels,
                tags={tuning.FEATURES_TAG: features},
            )

        return str(self.airflow.run(make, FakeTask(self.dag_id, task_id, run_id))["name"])


@pytest.fixture
def house(aws: Any, airflow: Airflow, source: Path, request: pytest.FixtureRequest) -> House:
    return House(aws, airflow, source, request.node.name)


def test_without_an_earlier_tuning_job_a_run_starts_cold_or_says_what_to_do(house: House) -> None:
    decided = house.decide("first", "none")
    assert (decided["parent"], decided["channels"]) == ("", OWN)
    house.tune("other", "old", decided["features"], task_id="tune_others")
    for warm_start in ("TransferLearning", "IdenticalDataAndAlgorithm"):
        with pytest.raises(ValueError, match=f"no tuning job of {house.dag_id} has completed: set warm_start to none"):
            house.decide("first", warm_start)


def test_the_last_one_is_the_newest_of_another_run_and_stays_the_one_for_a_run_that_has_started(house: House) -> None:
    features = house.decide("any", "none")["features"]
    house.tune("first", "old", features)
    newest = house.tune("second", "old", features)

    transfer = house.decide("third", "TransferLearning")
    assert (transfer["parent"], transfer["channels"]) == (newest, OWN)
    # SageMaker takes for identical what has the same S3 URIs.
    identical = house.decide("third", "IdenticalDataAndAlgorithm")
    assert identical["parent"] == newest
    assert identical["channels"] == {split: f"s3://{BUCKET}/old/{split}/" for split in OWN}

    house.tune("third", "old", features, parent=newest)
    house.tune("fourth", "new", features)
    assert house.decide("third", "IdenticalDataAndAlgorithm") == identical
    assert house.decide("third", "TransferLearning")["parent"] == newest


def test_identical_data_must_be_identical(house: House) -> None:
    features = house.decide("any", "none")["features"]
    last = house.tune("first", "old", features)
    with pytest.raises(ValueError, match=f"{last} was trained on other features.*warm_start to TransferLearning"):
        house.decide("second", "IdenticalDataAndAlgorithm", {"inputs": {"inputs-data": "of tomorrow"}})
