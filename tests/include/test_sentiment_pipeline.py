"""The committed definition of the sentiment pipeline is what the SageMaker SDK writes, and freezes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "include" / "pipelines" / "sentiment.py"
#: runs the script of the first argument where every connection is refused.
OFFLINE = """
import os, runpy, socket, sys
def refuse(*arguments, **named):
    raise OSError(f"the definition is written offline: {arguments}")
socket.socket.connect = socket.getaddrinfo = refuse
del sys.argv[0]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    return dict(json.loads(SCRIPT.with_suffix(".json").read_text()))


def walk(document: Any) -> Iterator[Any]:
    yield document
    children = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    for child in children:
        yield from walk(child)


def references(document: Any) -> list[str]:
    return [found["Get"] for found in walk(document) if isinstance(found, dict) and set(found) == {"Get"}]


def steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        step["Name"]: step
        for step in walk(definition)
        if isinstance(step, dict) and {"Name", "Type", "Arguments"} <= set(step)
    }


def test_the_sdk_writes_what_is_committed_and_asks_nobody(tmp_path: Path) -> None:
    written = tmp_path / "sentiment.json"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    answer = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(SCRIPT), str(written)],
        capture_output=True,
        text=True,
        timeout=120,
        # No SDK defaults of whoever runs this.
        env={**environment, "HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)},
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert written.read_text() == SCRIPT.with_suffix(".json").read_text(), f"run {SCRIPT.relative_to(ROOT)}"


def test_every_parameter_takes_effect_and_every_reference_leads_somewhere(committed: dict[str, Any]) -> None:
    declared = {parameter["Name"] for parameter in committed["Parameters"]}
    used = {name.removeprefix("Parameters.") for name in references(committed) if name.startswith("Parameters.")}
    assert used == declared
    for reference in references(committed):
        root, name = reference.split(".")[:2]
        assert root in {"Parameters", "Execution"} or name in steps(committed), reference


def test_no_knob_is_frozen_into_a_step(committed: dict[str, Any]) -> None:
    train = steps(committed)["Train"]["Arguments"]
    frozen = {name for name, value in train["HyperParameters"].items() if isinstance(value, str)}
    assert frozen == {
        "sagemaker_program",
        "sagemaker_container_log_level",
        "sagemaker_torch_distributed_enabled",
    }
    # The evaluation shares nothing out: on two instances it would do all twice.
    numbers = {"EvaluateModel": [1]}
    for step in steps(committed).values():
        arguments = {key: value for key, value in step["Arguments"].items() if key not in {"IfSteps", "ElseSteps"}}
        frozen_numbers = [found for found in walk(arguments) if isinstance(found, int | float)]
        assert frozen_numbers == numbers.get(step["Name"], []), step["Name"]
        for found in walk(arguments):
            assert not (isinstance(found, str) and found.startswith(("s3://", "arn:", "ml."))), found


def test_the_hyperparameters_and_their_defaults_are_those_of_the_script(committed: dict[str, Any]) -> None:
    script = (ROOT / "include" / "jobs" / "train" / "train.py").read_text()
    known = dict(re.findall(r'add\("--([a-z_]+)".*default=([^,)]+)', script))
    given = steps(committed)["Train"]["Arguments"]["HyperParameters"]
    defaults = {parameter["Name"]: parameter.get("DefaultValue") for parameter in committed["Parameters"]}
    ours = [name for name in given if "sagemaker" not in name]
    assert ours and set(ours) <= set(known)
    for name in ours:
        (reference,) = references(given[name])
        assert defaults[reference.removeprefix("Parameters.")] == literal_eval(known[name]), name


def test_the_steps_are_gated_by_the_accuracy_of_the_evaluation(committed: dict[str, Any]) -> None:
    found = steps(committed)
    assert {name: step["Type"] for name, step in found.items()} == {
        "Processing": "Processing",
        "Train": "Training",
        "EvaluateModel": "Processing",
        "AccuracyCondition": "Condition",
        "RegisterModel": "RegisterModel",
        "CreateModel": "Model",
        "BelowAccuracy": "Fail",
    }
    assert found["Train"]["CacheConfig"] == {"Enabled": True, "ExpireAfter": "PT1H"}
    assert found["EvaluateModel"]["PropertyFiles"] == [
        {"PropertyFileName": "Evaluation", "OutputName": "report", "FilePath": "evaluation.json"}
    ]
    gate = found["AccuracyCondition"]["Arguments"]
    assert [step["Name"] for step in gate["IfSteps"]] == ["RegisterModel", "CreateModel"]
    assert [step["Name"] for step in gate["ElseSteps"]] == ["BelowAccuracy"]
    (condition,) = gate["Conditions"]
    assert condition["Type"] == "GreaterThanOrEqualTo"
    assert condition["LeftValue"]["Std:JsonGet"]["Path"] == "metrics.accuracy.value"
    assert condition["RightValue"] == {"Get": "Parameters.MinAccuracyValue"}
    places = [
        output["S3Output"]["S3Uri"] for name in ("Processing", "EvaluateModel") for output in outputs(found[name])
    ]
    assert len({json.dumps(place) for place in places}) == len(places), "two steps write to one place"


@pytest.mark.parametrize("step", ["Processing", "Train", "EvaluateModel", "RegisterModel", "CreateModel"])
def test_the_arguments_are_a_request_that_the_api_takes(committed: dict[str, Any], step: str) -> None:
    operations = {
        "Processing": ("CreateProcessingJob", {"ProcessingJobName": "job"}),
        "Training": ("CreateTrainingJob", {"TrainingJobName": "job"}),
        "RegisterModel": ("CreateModelPackage", {"ClientToken": "0" * 32}),
        "Model": ("CreateModel", {"ModelName": "model"}),
    }
    operation, named = operations[steps(committed)[step]["Type"]]
    types = {parameter["Name"]: parameter["Type"] for parameter in committed["Parameters"]}

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "Get" in value and types.get(value["Get"].removeprefix("Parameters.")) == "Integer":
            return 1
        if {"Get", "Std:Join"} & set(value):
            return "arn:aws:iam::123456789012:role/long-enough"
        return {key: resolved(item) for key, item in value.items()}

    request = {**resolved(steps(committed)[step]["Arguments"]), **named}
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    assert ParamValidator().validate(request, shape).generate_report() == ""


def outputs(step: dict[str, Any]) -> list[dict[str, Any]]:
    return list(step["Arguments"]["ProcessingOutputConfig"]["Outputs"])
