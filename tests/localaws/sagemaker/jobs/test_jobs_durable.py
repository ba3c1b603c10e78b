"""What a job that has ended has uploaded is there, whenever the server is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from front_kit import send, signed_headers
from job_helpers import BUCKET, ENDS, IMAGE, Jobs
from localaws_kit import LocalAws
from signed_kit import ACCESS_KEY, SECRET, changed, signed
from waiting_kit import until

from localaws.core.beneath import Tree
from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.core.job_client import DURABLE, Aws, AwsRequestError
from localaws.core.store import Store
from localaws.gateway.app import Application
from localaws.gateway.auth.sigv4 import Refused
from localaws.sagemaker.jobs.contract import Contract, Outcome
from localaws.sagemaker.jobs.folder import JobFolder
from localaws.sagemaker.jobs.mirror import Mirror
from localaws.sagemaker.jobs.staging import DataError, put, upload
from localaws.sagemaker.processing.contract import Processing
from localaws.sagemaker.training.contract import Training
from localaws.sagemaker.transform.contract import Transform


class Server:
    """Takes uploads, or refuses the first ones."""

    def __init__(self, refuses: int = 0) -> None:
        self.asked: list[str] = []
        self._refuses = refuses

    def upload(self, _opened: object, _bucket: str, key: str) -> None:
        self.asked.append(key)
        if len(self.asked) <= self._refuses:
            raise AwsRequestError("InternalFailure", "no space left on device", 500)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "file"
    path.parent.mkdir()
    path.write_text("content")
    return path


def test_an_upload_is_sent_once(file: Path) -> None:
    for send_it in (lambda aws: put(aws, file, "s3://b/file"), lambda aws: upload(aws, Tree(file.parent), "s3://b")):
        server = Server()
        send_it(server)
        assert server.asked == ["file"]


def test_an_upload_that_is_refused_has_failed_and_a_checkpoint_is_sent_again(file: Path) -> None:
    with pytest.raises(DataError, match="s3://b/file: InternalFailure: no space left"):
        put(Server(refuses=1), file, "s3://b/file")  # type: ignore[arg-type]
    server = Server(refuses=1)
    checkpoints = Mirror(server, Tree(file.parent), "s3://b")  # type: ignore[arg-type]
    (file.parent / "new").write_text("new")
    with pytest.raises(DataError):
        checkpoints.sweep(final=True)
    checkpoints.sweep(final=True)
    checkpoints.sweep(final=True)
    assert server.asked == ["new", "new"]


OUTPUT = {"S3Output": {"S3Uri": "s3://b/o", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}}
KINDS: list[tuple[Callable[..., Contract], dict[str, Any], str, str]] = [
    (Training, {"ResourceConfig": {"InstanceCount": 1}, "OutputDataConfig": {"S3OutputPath": "s3://b"}}, "model", ""),
    (
        Training,
        {
            "ResourceConfig": {"InstanceCount": 1},
            "OutputDataConfig": {"S3OutputPath": "s3://b", "CompressionType": "NONE"},
        },
        "model",
        "model/file",
    ),
    (
        Processing,
        {
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1}},
            "ProcessingOutputConfig": {"Outputs": [OUTPUT]},
        },
        "processing/output",
        "o/file",
    ),
    (
        Transform,
        {"TransformResources": {"InstanceCount": 1}, "TransformOutput": {"S3OutputPath": "s3://b/o"}},
        "transform/output",
        "o/file",
    ),
]


@pytest.mark.parametrize(("kind", "request_", "path", "key"), KINDS)
def test_every_kind_of_job_uploads_its_output(
    tmp_path: Path, kind: Callable[..., Contract], request_: dict[str, Any], path: str, key: str
) -> None:
    folder = JobFolder(tmp_path / "name")
    made = folder.ml("algo-1") / path / "file"
    made.parent.mkdir(parents=True)
    made.write_text("content")
    contract = kind(folder, {"Name": "name", "Arn": "arn", "Request": request_})
    server = Server()
    contract.deliver(server, Outcome("Completed", "Completed"))  # type: ignore[arg-type]
    whole = f"name/output/{key}" if kind is Training and key else key or "name/output/model.tar.gz"
    assert server.asked == [whole]


# --- the front --------------------------------------------------------------------------------------------------


class Front:
    """An application without moto."""

    def __init__(self, tmp_path: Path) -> None:
        credentials = Credentials(ACCESS_KEY, SECRET)
        context = Context(tmp_path, "http://127.0.0.1:1", "us-east-1", Store(":memory:"), credentials)
        moto: Any = SimpleNamespace(key=lambda _: None)
        self.application = Application(context, moto)

    def ask(
        self, method: str, signer: Any = S3SigV4Auth, service: str = "s3", secret: str = SECRET, **headers: Any
    ) -> tuple[int, bytes]:
        request = changed(signed(signer, method, DURABLE, secret=secret, arguments=(service, "us-east-1")), **headers)
        try:
            admission = self.application.admit(request)
        except Refused as error:
            response = self.application.fault(error, request)
        else:
            response = self.application.handle(admission)
        assert isinstance(response.body, bytes)
        return response.status, response.body


def test_supervisors_of_an_older_version_learn_which_server_has_their_uploads(tmp_path: Path) -> None:
    first, second = Front(tmp_path), Front(tmp_path)
    status, body = first.ask("GET")
    assert status == 200
    assert first.ask("POST") == (200, body)
    assert second.ask("POST")[1] != body


def test_only_a_well_signed_request_of_s3_learns_which_server_it_is(tmp_path: Path) -> None:
    front = Front(tmp_path)
    for method in ("GET", "POST"):
        assert front.ask(method, authorization=None)[0] == 403
        assert front.ask(method, secret="another")[0] == 403
        assert front.ask(method, SigV4Auth, "sagemaker")[0] == 403


def test_over_http_the_path_is_for_this_machine_and_its_keys_only(localaws: LocalAws) -> None:
    assert send(localaws, "POST", DURABLE).status == 403
    assert send(localaws, "POST", DURABLE, headers={"Host": "example.com"}).status == 403
    good = signed_headers(localaws, "s3", "POST", DURABLE)
    assert send(localaws, "POST", DURABLE, headers={**good, "Host": "example.com"}).status == 403
    assert send(localaws, "POST", DURABLE, headers=good).status == 200


# --- the whole --------------------------------------------------------------------------------------------------


def killed_and_restarted(server: LocalAws) -> None:
    server.kill()
    server.restart()


def test_an_object_is_there_though_the_server_is_killed_at_its_answer(own_localaws: LocalAws, file: Path) -> None:
    jobs = Jobs(own_localaws.home)
    put(Aws(jobs.home, "us-east-1"), file, f"s3://{BUCKET}/file")
    killed_and_restarted(own_localaws)
    assert jobs.get(f"s3://{BUCKET}/file") == b"content"


def ended(jobs: Jobs, kind: str, name: str) -> str:
    """The last status of a job, as soon as its supervisor has written it: nobody asks the server."""
    path = jobs.folder(kind, name) / "status.json"
    return str(until(lambda: jobs.status(kind, name)["Status"] if path.exists() else "", lambda status: status in ENDS))


def test_a_completed_processing_job_has_its_output_though_the_server_is_killed(own_localaws: LocalAws) -> None:
    jobs = Jobs(own_localaws.home)
    jobs.processing("p", "open('/opt/ml/processing/output/o/x', 'w').write('made')", outputs={"o": {}})
    assert ended(jobs, "processing-job", "p") == "Completed"
    killed_and_restarted(own_localaws)
    assert jobs.processed("p")["ProcessingJobStatus"] == "Completed"
    assert jobs.get(f"s3://{BUCKET}/p-out/o/x") == b"made"


def test_a_completed_training_job_has_all_it_made_though_the_server_is_killed(own_localaws: LocalAws) -> None:
    jobs = Jobs(own_localaws.home)
    script = "for path in ('model', 'output/data', 'checkpoints'): open(f'/opt/ml/{path}/x', 'w').write(path)"
    jobs.training("t", script, image=IMAGE, CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints"})
    assert ended(jobs, "training-job", "t") == "Completed"
    killed_and_restarted(own_localaws)
    job = jobs.trained("t")
    assert job["TrainingJobStatus"] == "Completed"
    assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"x": b"model"}
    assert jobs.unpack(f"s3://{BUCKET}/t-out/t/output/output.tar.gz") == {"x": b"output/data"}
    assert jobs.get(f"s3://{BUCKET}/checkpoints/x") == b"checkpoints"


def test_what_is_mirrored_while_a_job_runs_survives_the_server_that_took_it(
    own_localaws: LocalAws,
) -> None:
    jobs = Jobs(own_localaws.home)
    script = """
import pathlib, time
pathlib.Path("/opt/ml/processing/output/o/x").write_text("early")
while not pathlib.Path("/opt/ml/processing/gate").exists():
    time.sleep(0.05)
"""
    jobs.processing("c", script, outputs={"o": {"S3UploadMode": "Continuous"}})
    until(lambda: jobs.keys("c-out/"), lambda keys: keys == ["c-out/o/x"])
    killed_and_restarted(own_localaws)
    (jobs.folder("processing-job", "c") / "ml" / "algo-1" / "processing" / "gate").touch()
    assert jobs.processed("c")["ProcessingJobStatus"] == "Completed"
    assert jobs.get(f"s3://{BUCKET}/c-out/o/x") == b"early"
