"""AutoMLJobOperator: both versions' requests, and one task instance, one AutoML job, one result."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from operator_kit import ROLE, Airflow, FakeTask
from test_job_requests import check

from amazon_ml.exceptions import BadResult, DeadlineExceeded, JobFailed, RequestRefused
from amazon_ml.naming import MAX_ATTEMPTS, job_name
from amazon_ml.operators.auto_ml import MOST_CANDIDATES, AutoMLJobOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.specs.auto_ml import AutoMLJobSpec, answering, best_first, candidate_entry

V2 = AutoMLJobSpec(
    role_arn=ROLE, bucket="auto-ml", target="sentiment", content="review_body", tags={"project": "reviews"}
)
V1 = AutoMLJobSpec(role_arn=ROLE, bucket="auto-ml", target="sentiment", version=1)
TRAINING = "s3://auto-ml/data/train/"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/sagemaker-autopilot:1"
STAGES = ["Starting", "AnalyzingData", "FeatureEngineering", "ModelTuning"]
GONE = ("Completed", "Failed", "Stopped")


def candidate(name: str, value: float | None, status: str = "Completed", **more: Any) -> dict[str, Any]:
    """As ListCandidatesForAutoMLJob has it, times in seconds since the epoch."""
    metric = {"MetricName": "Accuracy", "Type": "Maximize"}
    environment = {"SAGEMAKER_INFERENCE_SUPPORTED": "predicted_label,probability,probabilities,labels"}
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://auto-ml/{name}/model.tar.gz", "Environment": environment}
    return {
        "CandidateName": name,
        "ObjectiveStatus": "Succeeded" if value is not None else "Failed",
        "CandidateSteps": [],
        "CandidateStatus": status,
        "CreationTime": 1000,
        "EndTime": 1012.5,
        "LastModifiedTime": 1012.5,
        **({"FinalAutoMLJobObjectiveMetric": {**metric, "Value": value}} if value is not None else {}),
        **({"InferenceContainers": [container]} if status == "Completed" else {}),
        **more,
    }


@dataclass
class Autopilot:
    """An AutoML service that takes each Describe for the passing of time; ``ends`` is what the next job comes to."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    ends: str = "Completed"
    endless: bool = False
    candidates: list[dict[str, Any]] = field(
        default_factory=lambda: [
            candidate("slow", 0.71),
            candidate("quick", 0.64),
            candidate("broken", None, "Failed", FailureReason="out of memory"),
        ]
    )
    faults: list[tuple[int, str]] = field(default_factory=list)

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls[operation] += 1
        if self.faults and operation.startswith("Create"):
            status, code = self.faults.pop(0)
            return status, {"__type": code, "message": f"{code} by the stub"}
        name = request.get("AutoMLJobName", "")
        if operation.startswith("Create"):
            return self.create(operation, name, request)
        if operation.startswith("Describe") and operation.endswith(("Job", "JobV2")):
            return self.describe(operation, name)
        if operation == "StopAutoMLJob":
            if self.jobs[name]["AutoMLJobStatus"] == "InProgress":
                self.jobs[name] |= {"AutoMLJobStatus": "Stopping", "AutoMLJobSecondaryStatus": "Stopping"}
            return 200, {}
        if operation == "ListCandidatesForAutoMLJob":
            place = int(request.get("NextToken", "0"))
            more = {"NextToken": str(place + 2)} if place + 2 < len(self.candidates) else {}
            return 200, {"Candidates": self.candidates[place : place + 2], **more}
        if operation == "DescribeLogStreams":
            assert request["logStreamNamePrefix"] in self.jobs
            return 200, {"logStreams": [{"logStreamName": f"{request['logStreamNamePrefix']}-train/algo-1"}]}
        assert operation == "GetLogEvents", operation
        return 200, {"events": [{"timestamp": 1, "message": "the last words", "ingestionTime": 1}]}

    def create(self, operation: str, name: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        # The patterns of tags are not ones that Python's regular expressions know.
        check(operation, {key: value for key, value in request.items() if key != "Tags"})
        if name in self.jobs:
            return 400, {"__type": "ResourceInUse", "message": "AutoML Job name must be unique"}
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:automl-job/{name}"
        self.jobs[name] = {
            **request,
            "AutoMLJobArn": arn,
            "AutoMLJobStatus": "InProgress",
            "AutoMLJobSecondaryStatus": "Starting",
            "CreationTime": time.time(),
            "LastModifiedTime": time.time(),
            "_version": operation,
            "_stages": iter(STAGES),
            "_ends": self.ends,
        }
        return 200, {"AutoMLJobArn": arn}

    def describe(self, operation: str, name: str) -> tuple[int, dict[str, Any]]:
        job = self.jobs.get(name)
        if job is None or (operation == "DescribeAutoMLJob" and job["_version"].endswith("V2")):
            message = f"Could not find requested job with name: {name}"
            return 400, {"__type": "ValidationException", "message": message}
        if job["AutoMLJobStatus"] == "Stopping":
            job |= {"AutoMLJobStatus": "Stopped", "AutoMLJobSecondaryStatus": "Stopped"}
        elif job["AutoMLJobStatus"] == "InProgress" and not self.endless:
            job["AutoMLJobSecondaryStatus"] = stage = next(job["_stages"], job["_ends"])
            if stage == job["_ends"]:
                job["AutoMLJobStatus"] = stage
                job |= {"FailureReason": "the column sentiment is missing"} if stage == "Failed" else {}
                completed = [found for found in self.candidates if found["CandidateStatus"] == "Completed"]
                job |= {"BestCandidate": completed[0]} if completed and stage == "Completed" else {}
        return 200, {key: value for key, value in job.items() if not key.startswith("_")}


@pytest.fixture
def autopilot(monkeypatch: pytest.MonkeyPatch, loopback_only: None) -> Iterator[Autopilot]:
    made = Autopilot()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = made.answer(self.headers["X-Amz-Target"].rpartition(".")[2], request)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    for key in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.setenv(key, "us-east-1")
    # As soon as the last answer is there.
    monkeypatch.setattr("amazon_ml.waiting.Watch.delay", lambda self: 0.01)
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def auto_ml(ti: FakeTask, **changes: Any) -> Callable[[], AutoMLJobOperator]:
    settings = {"task_id": ti.task_id, "job": V2, "training": TRAINING, **changes}
    return lambda: AutoMLJobOperator(**settings)


def name(ti: FakeTask, attempt: int = 1) -> str:
    return job_name(ti.dag_id, ti.task_id, ti.map_index, ti.run_id, attempt, max_length=32)


def statuses(autopilot: Autopilot) -> dict[str, str]:
    return {job: found["AutoMLJobStatus"] for job, found in autopilot.jobs.items()}


# -- names and requests


@pytest.mark.parametrize("attempt", [1, 2, MAX_ATTEMPTS])
@pytest.mark.parametrize(("dag", "task"), [("autopilot_sentiment", "automl"), ("a" * 250, "g.t" * 80), ("_", "训练")])
def test_the_name_is_one_that_an_auto_ml_job_takes(dag: str, task: str, attempt: int) -> None:
    found = job_name(dag, task, 3, "manual__2026", attempt, max_length=32)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", found)
    others = {job_name(dag, task, 4, "manual__2026", attempt, max_length=32), found}
    assert len(others | {job_name(dag, task, 3, "manual__2027", attempt, max_length=32)}) == 3


def request(spec: AutoMLJobSpec, **changes: Any) -> dict[str, Any]:
    given = {"name": "a-job", "dag_id": "a_dag", "training": TRAINING, "validation": None, "output": None}
    return spec.to_request(**{**given, **changes})


CRITERIA = {"MaxCandidates": 3, "MaxRuntimePerTrainingJobInSeconds": 1200, "MaxAutoMLJobRuntimeInSeconds": 7200}


def test_text_is_classified_by_the_second_version() -> None:
    made = request(V2, validation="s3://auto-ml/data/validation/", output="s3://else/where/")
    check("CreateAutoMLJobV2", made)
    assert made["AutoMLProblemTypeConfig"] == {
        "TextClassificationJobConfig": {
            "ContentColumn": "review_body",
            "TargetLabelColumn": "sentiment",
            "CompletionCriteria": CRITERIA,
        }
    }
    channels = made["AutoMLJobInputDataConfig"]
    assert [channel["ChannelType"] for channel in channels] == ["training", "validation"]
    assert channels[0]["DataSource"]["S3DataSource"]["S3Uri"] == TRAINING
    assert made["OutputDataConfig"] == {"S3OutputPath": "s3://else/where/"}


def test_a_table_is_learnt_by_either_version() -> None:
    first = request(AutoMLJobSpec(**{**vars(V1), "objective": "F1macro", "problem_type": "MulticlassClassification"}))
    check("CreateAutoMLJob", first)
    assert first["InputDataConfig"][0]["TargetAttributeName"] == "sentiment"
    assert first["AutoMLJobConfig"] == {"CompletionCriteria": CRITERIA}
    assert (first["ProblemType"], first["AutoMLJobObjective"]) == (
        "MulticlassClassification",
        {"MetricName": "F1macro"},
    )
    assert first["OutputDataConfig"] == {"S3OutputPath": "s3://auto-ml/jobs/a_dag/a-job/"}
    second = request(AutoMLJobSpec(**{**vars(V2), "content": None}))
    check("CreateAutoMLJobV2", second)
    assert second["AutoMLProblemTypeConfig"]["TabularJobConfig"]["TargetAttributeName"] == "sentiment"


def test_a_specification_that_no_version_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="versions 1 and 2"):
        AutoMLJobSpec(**{**vars(V1), "version": 3})
    with pytest.raises(ValueError, match="content is for version 2"):
        AutoMLJobSpec(**{**vars(V1), "content": "review_body"})
    with pytest.raises(ValueError, match="objective and problem_type together"):
        request(AutoMLJobSpec(**{**vars(V1), "objective": "Accuracy"}))


@pytest.mark.parametrize("spec", [V1, V2], ids=["v1", "v2"])
def test_other_data_columns_limits_or_objective_are_another_computation_another_place_is_not(
    spec: AutoMLJobSpec,
) -> None:
    base = spec.fingerprint(request(spec))
    assert base == spec.fingerprint(request(spec, name="b-job", output="s3://else/where/"))
    assert base != spec.fingerprint(request(spec, training="s3://auto-ml/other/"))
    for change in ({"target": "stars"}, {"max_candidates": 2}, {"max_runtime_per_training_job": 60}):
        changed = AutoMLJobSpec(**{**vars(spec), **change})
        assert base != spec.fingerprint(request(changed)), change
    problem = {"objective": "F1macro", "problem_type": "MulticlassClassification"}
    assert base != spec.fingerprint(request(AutoMLJobSpec(**{**vars(spec), **problem})))


# -- candidates


def test_candidates_come_best_first_whichever_way_the_metric_counts() -> None:
    found = [candidate("a", 0.5), candidate("none", None, "Failed"), candidate("b", 0.9)]
    assert [entry["CandidateName"] for entry in best_first(found)] == ["b", "a", "none"]
    for entry in found:
        if "FinalAutoMLJobObjectiveMetric" in entry:
            entry["FinalAutoMLJobObjectiveMetric"]["Type"] = "Minimize"
    assert [entry["CandidateName"] for entry in best_first(found)] == ["a", "b", "none"]


def test_containers_are_told_what_to_answer_with_and_what_they_are_handed() -> None:
    def container(supported: str) -> dict[str, Any]:
        environment = {"SAGEMAKER_INFERENCE_SUPPORTED": supported} if supported else {}
        return {"image": "i", "model_data": "s3://m", "environment": environment}

    given = [container(""), container("probability, predicted_label"), container("predicted_label,probability,labels")]
    first, middle, last = answering(given, ["predicted_label", "probability"])
    assert first == given[0]
    assert middle["environment"]["SAGEMAKER_INFERENCE_OUTPUT"] == "predicted_label,probability"
    assert last["environment"]["SAGEMAKER_INFERENCE_INPUT"] == "predicted_label,probability"
    assert last["environment"]["SAGEMAKER_INFERENCE_OUTPUT"] == "predicted_label,probability"
    assert "SAGEMAKER_INFERENCE_OUTPUT" not in given[1]["environment"], "the candidate itself was changed"
    with pytest.raises(ValueError, match="does not answer with probability"):
        answering([container("predicted_label")], ["predicted_label", "probability"])


def test_a_model_takes_one_image_or_containers() -> None:
    ModelOperator(task_id="a", role_arn=ROLE, image_uri="i", model_data="s3://m")
    ModelOperator(task_id="b", role_arn=ROLE, containers=[{"image": "i", "model_data": "s3://m", "environment": {}}])
    options: list[dict[str, Any]] = [{}, {"image_uri": "i", "containers": []}]
    for both_or_none in options:
        with pytest.raises(ValueError, match="an image_uri, or containers"):
            ModelOperator(task_id="c", role_arn=ROLE, **both_or_none)


# -- jobs


@pytest.mark.parametrize("spec", [V1, V2], ids=["v1", "v2"])
def test_a_job_gives_its_candidates_best_first_and_runs_once(
    autopilot: Autopilot, airflow: Airflow, ti: FakeTask, spec: AutoMLJobSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    xcom = airflow.run(auto_ml(ti, job=spec), ti)
    assert (xcom["name"], xcom["status"]) == (name(ti), "Completed")
    assert xcom["arn"].endswith(f":automl-job/{name(ti)}")
    assert [found["name"] for found in xcom["candidates"]] == ["slow", "quick", "broken"]
    environment = {"SAGEMAKER_INFERENCE_SUPPORTED": "predicted_label,probability,probabilities,labels"}
    assert xcom["best"] == {
        "name": "slow",
        "status": "Completed",
        "metric": "Accuracy",
        "value": 0.71,
        "training_seconds": 12.5,
        "containers": [
            {"image": IMAGE, "model_data": "s3://auto-ml/slow/model.tar.gz", "environment": environment},
        ],
    }
    assert xcom["candidates"][2]["failure_reason"] == "out of memory"
    assert ti.pushed["best"] == xcom["best"]
    assert [found["name"] for found in ti.pushed["candidates"]] == ["slow", "quick"], "one that failed cannot be served"
    json.dumps(xcom)
    (deferred,) = airflow.deferrals
    assert deferred.trigger.name == name(ti)
    said = capsys.readouterr().out
    for stage in ("AnalyzingData", "FeatureEngineering", "ModelTuning", "Completed"):
        assert f"{name(ti)}: {'Completed' if stage == 'Completed' else 'InProgress'}: {stage}" in said
    assert "best candidate so far has Accuracy 0.71" in said

    # Cleared: its result again, without a job and without a wait.
    assert airflow.run(auto_ml(ti, job=spec), ti.next_try()) == xcom
    assert len(airflow.deferrals) == 1
    assert statuses(autopilot) == {name(ti): "Completed"}
    # Cleared after its input changed: computed again.
    again = airflow.run(auto_ml(ti, job=spec, training="s3://auto-ml/other/"), ti.next_try())
    assert again["name"] == name(ti, 2)
    tags = {tag["Key"]: tag["Value"] for tag in autopilot.jobs[name(ti)]["Tags"]}
    assert tags.items() >= {"airflow:dag_id": ti.dag_id, **spec.tags}.items()


def test_a_task_that_polls_comes_to_the_same(autopilot: Autopilot, airflow: Airflow, ti: FakeTask) -> None:
    xcom = airflow.run(auto_ml(ti, deferrable=False), ti)
    assert (xcom["status"], airflow.deferrals) == ("Completed", [])


def test_a_retry_attaches_to_what_a_dead_worker_started(autopilot: Autopilot, airflow: Airflow, ti: FakeTask) -> None:
    airflow.start(auto_ml(ti), ti)
    assert airflow.run(auto_ml(ti), ti.next_try())["name"] == name(ti)
    assert autopilot.calls["CreateAutoMLJobV2"] == 1


def test_a_failed_job_fails_the_task_with_its_reason_and_only_the_next_try_makes_another(
    autopilot: Autopilot, airflow: Airflow, ti: FakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    autopilot.ends = "Failed"
    with pytest.raises(JobFailed, match=f"{name(ti)} is Failed: the column sentiment is missing"):
        airflow.run(auto_ml(ti), ti)
    assert "the last words" in capsys.readouterr().out
    autopilot.ends = "Completed"
    assert airflow.run(auto_ml(ti), ti.next_try())["name"] == name(ti, 2)
    assert statuses(autopilot) == {name(ti): "Failed", name(ti, 2): "Completed"}


def test_a_job_without_a_candidate_is_no_success(autopilot: Autopilot, airflow: Airflow, ti: FakeTask) -> None:
    autopilot.candidates = [candidate("broken", None, "Failed")]
    with pytest.raises(BadResult, match="completed without a candidate"):
        airflow.run(auto_ml(ti), ti)


def test_of_many_candidates_the_best_go_on(autopilot: Autopilot, airflow: Airflow, ti: FakeTask) -> None:
    autopilot.candidates = [candidate(f"c{n:03}", n / 1000) for n in range(45)]
    found = airflow.run(auto_ml(ti), ti)["candidates"]
    assert [entry["name"] for entry in found] == [f"c{44 - n:03}" for n in range(MOST_CANDIDATES)]


def test_a_kill_by_a_user_stops_the_job_and_a_clear_does_not(
    autopilot: Autopilot, airflow: Airflow, ti: FakeTask, task_states: dict[str, Any]
) -> None:
    autopilot.endless = True
    deferred = airflow.start(auto_ml(ti), ti)
    task_states["state"] = None
    airflow.kill_trigger(deferred, ti)
    assert autopilot.calls["StopAutoMLJob"] == 0
    task_states["state"] = "failed"
    airflow.kill_trigger(deferred, ti)
    assert autopilot.calls["StopAutoMLJob"] == 1


def test_the_deadline_stops_the_job(autopilot: Autopilot, airflow: Airflow, old_ti: FakeTask) -> None:
    from datetime import timedelta

    autopilot.endless = True
    with pytest.raises(DeadlineExceeded, match="InProgress when the task's time was over"):
        airflow.run(auto_ml(old_ti, timeout=timedelta(minutes=30)), old_ti)
    assert autopilot.calls["StopAutoMLJob"] >= 1
    assert set(statuses(autopilot).values()) <= {"Stopping", "Stopped"}


def test_throttling_passes_and_a_refusal_fails_at_once(autopilot: Autopilot, airflow: Airflow, ti: FakeTask) -> None:
    autopilot.faults = [(400, "ThrottlingException"), (503, "ServiceUnavailable")]
    assert airflow.run(auto_ml(ti), ti)["status"] == "Completed"
    autopilot.faults = [(400, "ValidationException")]
    other = FakeTask(run_id="other")
    with pytest.raises(RequestRefused, match="ValidationException by the stub"):
        airflow.run(auto_ml(other), other)
    with pytest.raises(RequestRefused, match="objective and problem_type together"):
        wrong = AutoMLJobSpec(**{**vars(V1), "objective": "Accuracy"})
        airflow.run(auto_ml(other, job=wrong), other)


def test_templates_in_the_job_are_rendered(autopilot: Autopilot, ti: FakeTask) -> None:
    spec = AutoMLJobSpec(**{**vars(V2), "max_candidates": "{{ params.candidates }}"})
    operator = auto_ml(ti, job=spec)()
    rendered = operator._prepare({"ti": ti, "params": {"candidates": 2}})
    made = operator.request(rendered, operator._run_key, "x", "")
    criteria = made["AutoMLProblemTypeConfig"]["TextClassificationJobConfig"]["CompletionCriteria"]
    assert criteria["MaxCandidates"] == 2
    assert all(hasattr(operator, field_name) for field_name in operator.template_fields)
    assert (operator.best.key, operator.candidates.key) == ("best", "candidates")  # type: ignore[attr-defined]


def test_an_entry_of_a_candidate_that_runs_has_no_figures_yet() -> None:
    entry = candidate_entry({"CandidateName": "c", "CandidateStatus": "InProgress"})
    assert entry == {
        "name": "c",
        "status": "InProgress",
        "metric": None,
        "value": None,
        "training_seconds": None,
        "containers": [],
    }
