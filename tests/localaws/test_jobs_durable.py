"""What a job that has ended has uploaded is there, whenever the server is killed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from front_kit import send, signed_headers
from job_helpers import BUCKET, ENDS, IMAGE, Jobs, until
from localaws_kit import LocalAws
from signed_kit import ACCESS_KEY, SECRET, changed, signed

from localaws.application import Application
from localaws.context import Context
from localaws.credentials import Credentials
from localaws.jobs.aws import DURABLE, Aws, AwsRequestError
from localaws.jobs.contract import Contract, Outcome
from localaws.jobs.folder import JobFolder
from localaws.jobs.mirror import Mirror
from localaws.jobs.processing import Processing
from localaws.jobs.staging import DataError, put, upload
from localaws.jobs.training import Training
from localaws.jobs.transform import Transform
from localaws.store import Store


class Servers:
    """Takes uploads; is another server from the ``deaths``-th question for its id on, for each of them."""

    def __init__(self, *deaths: int) -> None:
        self.asked: list[str] = []
        self._deaths = deaths
        self._lock = threading.Lock()

    def server(self) -> str:
        return self._answer("server")

    def durable(self) -> str:
        return self._answer("durable")

    def upload(self, _path: Path, _bucket: str, key: str) -> None:
        with self._lock:
            self.asked.append(key)

    def _answer(self, what: str) -> str:
        self.asked.append(what)
        questions = len([each for each in self.asked if each in ("server", "durable")])
        return str(len([death for death in self._deaths if questions >= death]))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "file"
    path.parent.mkdir()
    path.write_text("content")
    return path


@pytest.mark.parametrize(
    ("deaths", "times"),
    [((), 1), ((2,), 2), ((2, 3), 3), ((2, 4), 2)],
    ids=["none", "once", "again during the second try", "after the end"],
)
def test_an_upload_is_repeated_until_one_server_has_taken_it_and_has_it_on_disk(
    file: Path, deaths: tuple[int, ...], times: int
) -> None:
    for send_it in (lambda aws: put(aws, file, "s3://b/file"), lambda aws: upload(aws, [file], file.parent, "s3://b")):
        servers = Servers(*deaths)
        send_it(servers)
        assert servers.asked == ["server", *["file", "durable"] * times]


def test_where_there_is_nothing_to_upload_nobody_waits(tmp_path: Path) -> None:
    servers = Servers()
    upload(servers, [], tmp_path, "s3://b/c")  # type: ignore[arg-type]
    assert servers.asked == []


def test_an_upload_that_cannot_be_brought_to_disk_has_failed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> str:
        raise AwsRequestError("InternalFailure", "no space left on device", 500)

    servers = Servers()
    monkeypatch.setattr(servers, "durable", full)
    with pytest.raises(DataError, match="s3://b/file could not be brought to disk: InternalFailure: no space left"):
        put(servers, file, "s3://b/file")  # type: ignore[arg-type]
    checkpoints = Mirror(servers, file.parent, "s3://b")  # type: ignore[arg-type]
    (file.parent / "new").write_text("new")
    for _ in range(2):
        with pytest.raises(DataError):
            checkpoints.sweep(final=True)
    assert servers.asked.count("new") == 2, "what is not known to be on disk is uploaded at the next sweep"


def test_a_checkpoint_that_was_lost_with_the_server_is_uploaded_again(file: Path) -> None:
    servers = Servers(2)
    checkpoints = Mirror(servers, file.parent, "s3://b")  # type: ignore[arg-type]
    (file.parent / "new").write_text("new")
    checkpoints.sweep(final=True)
    checkpoints.sweep(final=True)
    assert servers.asked == ["server", "new", "durable", "new", "durable"]


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
def test_every_kind_of_job_waits_for_its_output_to_be_on_disk(
    tmp_path: Path, kind: Callable[..., Contract], request_: dict[str, Any], path: str, key: str
) -> None:
    folder = JobFolder(tmp_path / "name")
    made = folder.ml("algo-1") / path / "file"
    made.parent.mkdir(parents=True)
    made.write_text("content")
    contract = kind(folder, {"Name": "name", "Arn": "arn", "Request": request_})
    servers = Servers(2)
    contract.deliver(servers, Outcome("Completed", "Completed"))  # type: ignore[arg-type]
    whole = f"name/output/{key}" if kind is Training and key else key or "name/output/model.tar.gz"
    assert servers.asked == ["server", whole, "durable", whole, "durable"]


# --- the front --------------------------------------------------------------------------------------------------


class Front:
    """An application whose moto tells when it is told to write."""

    def __init__(self, tmp_path: Path) -> None:
        self.written = 0
        credentials = Credentials(ACCESS_KEY, SECRET)
        context = Context(tmp_path, "http://127.0.0.1:1", "us-east-1", Store(":memory:"), credentials)
        moto: Any = SimpleNamespace(state=SimpleNamespace(write=self._write), key=lambda _: None)
        self.application = Application(context, moto)

    def _write(self) -> None:
        self.written += 1

    def ask(
        self, method: str, signer: Any = S3SigV4Auth, service: str = "s3", secret: str = SECRET, **headers: Any
    ) -> tuple[int, bytes]:
        request = signed(signer, method, DURABLE, secret=secret, arguments=(service, "us-east-1"))
        response = self.application.handle(changed(request, **headers))
        assert isinstance(response.body, bytes)
        return response.status, response.body


def test_the_server_writes_before_it_answers_and_says_which_one_it_is(tmp_path: Path) -> None:
    first, second = Front(tmp_path), Front(tmp_path)
    status, body = first.ask("GET")
    assert (status, first.written) == (200, 0)
    assert first.ask("POST") == (200, body)
    assert first.written == 1
    assert second.ask("POST")[1] != body


def test_only_a_well_signed_request_of_s3_makes_the_server_write(tmp_path: Path) -> None:
    front = Front(tmp_path)
    for method in ("GET", "POST"):
        assert front.ask(method, authorization=None)[0] == 403
        assert front.ask(method, secret="another")[0] == 403
        assert front.ask(method, SigV4Auth, "sagemaker")[0] == 403
    assert front.written == 0


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


def test_an_object_that_was_answered_and_lost_is_uploaded_again(
    own_localaws: LocalAws, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs(own_localaws.home)
    aws = Aws(jobs.home, "us-east-1")
    aws.durable()
    send_once, uploads = aws.upload, []

    def upload_and_lose(path: Path, bucket: str, key: str) -> None:
        send_once(path, bucket, key)
        uploads.append(key)
        if len(uploads) == 1:
            killed_and_restarted(own_localaws)

    monkeypatch.setattr(aws, "upload", upload_and_lose)
    put(aws, file, f"s3://{BUCKET}/file")
    assert uploads == ["file", "file"]
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
    own_localaws: LocalAws, tmp_path: Path
) -> None:
    jobs = Jobs(own_localaws.home)
    gate = tmp_path / "gate"
    script = f"""
import pathlib, time
pathlib.Path("/opt/ml/processing/output/o/x").write_text("early")
while not pathlib.Path({str(gate)!r}).exists():
    time.sleep(0.05)
"""
    jobs.processing("c", script, outputs={"o": {"S3UploadMode": "Continuous"}})
    until(lambda: jobs.keys("c-out/"), lambda keys: keys == ["c-out/o/x"])
    killed_and_restarted(own_localaws)
    gate.touch()
    assert jobs.processed("c")["ProcessingJobStatus"] == "Completed"
    assert jobs.get(f"s3://{BUCKET}/c-out/o/x") == b"early"
