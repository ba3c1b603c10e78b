"""The timeline of an endpoint under load, and the charts of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jobs_kit import files, run

BEGAN = 1_700_000_000.0


def scaling() -> dict[str, Any]:
    """Load from the first second; the alarm goes off after 180 s, a second instance is there after 220 s."""
    samples = [
        {
            "at": BEGAN + second,
            "instances": 2 if second >= 220 else 1,
            "desired": 2 if second >= 190 else 1,
            "status": "Updating" if 190 <= second < 220 else "InService",
            "alarms": {
                "High": "INSUFFICIENT_DATA" if second < 60 else "ALARM" if 180 <= second < 300 else "OK",
                "Low": "INSUFFICIENT_DATA" if second < 60 else "OK",
            },
        }
        for second in range(0, 360, 4)
    ]
    activity = {"description": "Setting desired instance count to 2.", "cause": "monitor alarm", "status": "Successful"}
    return {
        "endpoint": "sentiment-ab",
        "variant": "challenger",
        "period": 60,
        "threshold": 60.0,
        "samples": samples,
        "activities": [{"started": BEGAN + 188, "ended": BEGAN + 221, **activity}],
        "metric": [{"at": BEGAN + 60 * n, "value": value} for n, value in enumerate([180, 240, 236, 190, 120, 119])],
    }


def metrics() -> dict[str, Any]:
    def points(values: list[float]) -> list[dict[str, float]]:
        return [{"at": BEGAN + 60 * n, "value": value} for n, value in enumerate(values)]

    return {
        "endpoint": "sentiment-ab",
        "period": 60,
        "variants": {
            "champion": {
                "Invocations": points([120, 118, 126]),
                "ModelLatency": points([8100, 8300, 7900]),
                "Invocation5XXErrors": points([0, 0, 0]),
            },
            "challenger": {
                "Invocations": points([124, 125, 113]),
                "ModelLatency": points([3100, 3300, 3400]),
                "Invocation5XXErrors": points([0, 1, 0]),
            },
        },
    }


def draw(folder: Path, scaled: Any, measured: Any, **arguments: Any) -> int:
    for name, document in (("scaling", scaled), ("metrics", measured)):
        (folder / "in" / name).mkdir(parents=True, exist_ok=True)
        (folder / "in" / name / "found.json").write_text(json.dumps(document))
    return run("ab_timeline", input=folder / "in", output=folder / "out", reason=folder / "a/b/message", **arguments)


def test_the_timeline_says_when_the_alarm_went_off_and_when_there_were_more_instances(tmp_path: Path) -> None:
    assert draw(tmp_path, scaling(), metrics(), synthetic="True") == 0
    folder = tmp_path / "out/report"
    assert files(folder) == ["autoscaling.png", "timeline.json", "traffic.png"]
    assert json.loads((folder / "timeline.json").read_text()) == {
        "least": 1,
        "most": 2,
        "alarmed_after": 180.0,
        "scaled_after": 220.0,
        "activities": ["Setting desired instance count to 2."],
        "synthetic": True,
    }
    for chart in folder.glob("*.png"):
        assert chart.read_bytes().startswith(b"\x89PNG")


def test_what_did_not_happen_is_none(tmp_path: Path) -> None:
    quiet = scaling() | {"threshold": None, "metric": [], "activities": []}
    quiet["samples"] = [sample | {"instances": 1, "desired": 1, "alarms": {}} for sample in quiet["samples"][:1]]
    assert draw(tmp_path, quiet, metrics() | {"variants": {}}) == 0
    found = json.loads((tmp_path / "out/report/timeline.json").read_text())
    assert (found["most"], found["alarmed_after"], found["scaled_after"], found["activities"]) == (1, None, None, [])


@pytest.mark.parametrize(
    ("scaled", "measured", "reason"),
    [
        ({"samples": []}, metrics(), "found.json has no metric, activities"),
        (scaling(), {"endpoint": "x"}, "found.json has no period, variants"),
        (scaling() | {"samples": []}, metrics(), "the endpoint under load was never sampled"),
    ],
)
def test_documents_that_are_not_whole_are_refused(
    tmp_path: Path, scaled: Any, measured: Any, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw(tmp_path, scaled, measured) == 2
    assert reason in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_missing_documents_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ab_timeline", input=tmp_path, output=tmp_path / "out") == 2
    assert "there must be one .json document in" in capsys.readouterr().err
