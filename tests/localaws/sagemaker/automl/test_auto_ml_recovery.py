"""AutoML jobs outlive the server, and go on without the candidates that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import auto_ml_kit as kit
import pytest
from auto_ml_kit import AutoMl, rows, table
from localaws_kit import LocalAws


@pytest.fixture
def shallow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base model with one layer: the candidate that fine-tunes two must fail."""
    monkeypatch.setenv(kit.BASE_MODEL, str(kit.tiny_bert(tmp_path / "bert", layers=1)))


def test_a_killed_server_goes_on_with_one_set_of_children_and_a_failed_candidate_fails_alone(
    shallow: None, own_localaws: LocalAws
) -> None:
    automl = AutoMl()
    automl.create("survivor", table(rows(90)), criteria={"MaxCandidates": 2})
    # Right after the record was written, while a child runs, and between two children.
    _kill_and_restart(own_localaws)
    for kind, count in (("processing", 2), ("training", 1)):
        automl.until("survivor", _has(automl, kind, count), 120)
        _kill_and_restart(own_localaws)
    job = automl.ended("survivor", 120)
    assert job["AutoMLJobStatus"] == "Completed", job.get("FailureReason")
    children = automl.children("survivor")
    assert (len(children["processing"]), len(children["training"])) == (3, 2)
    by_status = {status: automl.candidates("survivor", StatusEquals=status) for status in ("Completed", "Failed")}
    (trained,) = by_status["Completed"]
    (failed,) = by_status["Failed"]
    assert automl.log(own_localaws.home, "training-job", trained["CandidateName"]).count("candidate linear") == 1
    assert job["BestCandidate"]["CandidateName"] == trained["CandidateName"]
    assert "trained_layers is 2, and the encoder has 1 layers" in failed["FailureReason"]
    (reason,) = job["PartialFailureReasons"]
    assert failed["CandidateName"] in reason["PartialFailureMessage"]
    worst_first = automl.candidates("survivor", SortBy="FinalObjectiveMetricValue", SortOrder="Ascending")
    assert worst_first[0]["CandidateName"] == failed["CandidateName"], "one without a value is below all others"


def _has(automl: AutoMl, kind: str, count: int) -> Any:
    return lambda job: len(automl.children("survivor")[kind]) >= count


def _kill_and_restart(server: LocalAws) -> None:
    server.kill()
    server.restart()
