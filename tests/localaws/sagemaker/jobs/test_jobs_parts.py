"""The small parts of a supervisor: reasons out of logs, names of downloaded files, metrics, what goes to CloudWatch."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from localaws.core.beneath import Tree
from localaws.core.job_client import Aws, AwsRequestError, ServerAway
from localaws.sagemaker.jobs import shipping
from localaws.sagemaker.jobs.failure import excerpt
from localaws.sagemaker.jobs.logs import BoundedFile
from localaws.sagemaker.jobs.metrics import Metrics
from localaws.sagemaker.jobs.mirror import Mirror
from localaws.sagemaker.jobs.progress import REASON_LIMIT, shorten
from localaws.sagemaker.jobs.shipping import Shipper
from localaws.sagemaker.jobs.staging import DataError, _relative, files_in, split_uri, under

TORCHRUN = """\
step 1
[rank1]: Traceback (most recent call last):
[rank1]:   File "train.py", line 9, in <module>
[rank1]:     main()
[rank1]: RuntimeError: only one class in the data
E1124 torch/distributed/elastic/multiprocessing/api.py: failed (exitcode: 1)
Traceback (most recent call last):
  File "run.py", line 7, in <module>
    sys.exit(main())
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
train.py FAILED"""

CHAINED = """\
Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
ValueError: column x is missing
  in row 3"""


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (CHAINED, "ValueError: column x is missing\n  in row 3"),
        ("a\nb\nc\nd\ne\nf", "b\nc\nd\ne\nf"),
        ("", ""),
        ("Traceback (most recent call last):\n  File 'cut'", "Traceback (most recent call last):\n  File 'cut'"),
    ],
)
def test_the_reason_is_the_last_exception_or_the_last_lines(log: str, reason: str) -> None:
    assert excerpt(log.splitlines()) == reason


def test_of_torchrun_s_report_and_a_worker_s_error_the_worker_s_is_the_reason() -> None:
    assert excerpt(TORCHRUN.splitlines()).startswith("RuntimeError: only one class in the data")


def test_a_long_reason_keeps_its_beginning_and_its_end() -> None:
    text = shorten("begin" + "x" * 3000 + "end", 24)
    assert len(text) <= REASON_LIMIT - 24
    assert text.startswith("begin")
    assert text.endswith("end")


@pytest.mark.parametrize(
    ("key", "prefix", "name"),
    [
        ("data/train/a.csv", "data/train/", "a.csv"),
        ("data/train/a.csv", "data/train", "a.csv"),
        ("data/train/b/a.csv", "data/train", "b/a.csv"),
        ("data/train.csv", "data/train.csv", "train.csv"),
        ("data/part-0", "data/part-", "part-0"),
        ("data/part-0/x", "data/par", "part-0/x"),
        ("a.csv", "", "a.csv"),
        ("data//a.csv", "data/", "a.csv"),
    ],
)
def test_a_file_is_named_by_what_its_key_has_beyond_the_prefix(key: str, prefix: str, name: str) -> None:
    assert _relative(key, prefix) == name


def test_a_path_that_leads_out_of_opt_ml_is_refused() -> None:
    assert under(Path("/x"), "/opt/ml/processing/input") == Path("/x/processing/input")
    for path in ("/opt/ml/../etc", "/etc", "/opt/mlx", "/opt/ml/a/../../b"):
        with pytest.raises(DataError, match="not under /opt/ml"):
            under(Path("/x"), path)


def test_uris_are_split_into_bucket_and_key() -> None:
    assert split_uri("s3://bucket/a/b") == ("bucket", "a/b")
    assert split_uri("s3://bucket") == ("bucket", "")


def test_an_output_with_a_link_out_of_its_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="link is a link that leads out of its folder"):
        files_in(Tree(tmp_path / "out"))


def test_metrics_keep_the_last_value_and_hand_out_each_once() -> None:
    metrics = Metrics([{"Name": "acc", "Regex": r"acc=([0-9.e-]+)"}, {"Name": "loss", "Regex": r"loss=(\S+)"}])
    metrics.scan("acc=0.5 loss=nan-ish acc=0.75", 1_700_000_000)
    metrics.scan("acc=8e-1", 1_700_000_001)
    assert [(datum["MetricName"], datum["Value"]) for datum in metrics.final()] == [("acc", 0.8)]
    assert [datum["Value"] for datum in metrics.take(2)] == [0.5, 0.75]
    assert [datum["Value"] for datum in metrics.take(2)] == [0.8]
    assert metrics.take(2) == []


def test_a_log_file_keeps_within_its_bounds_and_keeps_the_end(tmp_path: Path) -> None:
    file = BoundedFile(tmp_path / "log", limit=1000)
    for number in range(500):
        file.write(f"line {number}\n".encode())
    file.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * 1000 + 200
    assert (tmp_path / "log").read_text().endswith("line 499\n")
    assert (tmp_path / "log").read_text().startswith("[localaws] the log before this is in log.1; ")


class _Aws:
    """Takes what would go to CloudWatch."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, _service: str, target: str, body: dict[str, Any], **_: str) -> None:
        self.calls.append((target.partition(".")[2], body))

    def lines(self) -> list[str]:
        return [event["message"] for name, body in self.calls if name == "PutLogEvents" for event in body["logEvents"]]


def test_beyond_its_allowance_a_stream_loses_the_middle_and_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "BURST_BYTES", 3000)
    monkeypatch.setattr(shipping, "BYTES_A_SECOND", 0)
    aws = _Aws()
    shipper = Shipper(aws, "/group", Metrics([]), ("Name", "x"))  # type: ignore[arg-type]
    shipper._streams["s"].allowance = 3000
    for number in range(1000):
        shipper.add("s", f"{number:04}", 1_700_000_000 + number)
    shipper.start()
    assert shipper.close(20)
    lines = aws.lines()
    assert lines[0] == "0000"
    assert lines[-shipping.TAIL_LINES :] == [f"{number:04}" for number in range(800, 1000)]
    (notice,) = [line for line in lines if line.startswith("[localaws]")]
    kept = len(lines) - 1 - shipping.TAIL_LINES
    assert f"{800 - kept} lines are left out" in notice
    moments = [event["timestamp"] for _, body in aws.calls if "logEvents" in body for event in body["logEvents"]]
    assert moments == sorted(moments)


def test_streams_and_groups_are_made_once_and_batches_are_small(tmp_path: Path) -> None:
    aws = _Aws()
    shipper = Shipper(aws, "/group", Metrics([]), ("Name", "x"))  # type: ignore[arg-type]
    for number in range(4500):
        shipper.add("a" if number % 2 else "b", "line", 1_700_000_000)
    shipper.start()
    assert shipper.close(20)
    names = [name for name, _ in aws.calls]
    assert names.count("CreateLogStream") == 2
    assert len(aws.lines()) == 4500
    assert all(len(body["logEvents"]) <= 2000 for name, body in aws.calls if name == "PutLogEvents")


def test_a_server_that_is_away_is_waited_for_only_so_long_and_a_file_that_is_gone_not_at_all(tmp_path: Path) -> None:
    aws = Aws(tmp_path / "localaws", "us-east-1", patience=0.2)
    with pytest.raises(ServerAway, match=r"server\.json is not there"):
        aws.list_objects("bucket", "")
    with pytest.raises(FileNotFoundError):
        aws.upload(lambda: open(tmp_path / "gone", "rb"), "bucket", "key")  # noqa: SIM115 - it is not there


def test_a_connection_that_breaks_is_made_again_and_a_refusal_is_final(tmp_path: Path) -> None:
    answers = [
        b"",
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ]
    answers.append(b"HTTP/1.1 403 No\r\nContent-Length: 47\r\n\r\n<Error><Code>AccessDenied</Code><Message>no</Mes>")
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer, args=(server, answers), daemon=True).start()
        (tmp_path / "localaws").mkdir()
        (tmp_path / "localaws" / "server.json").write_text(f'{{"port": {server.getsockname()[1]}}}')
        aws = Aws(tmp_path / "localaws", "us-east-1")
        assert aws.get_object("bucket", "key") == b"ok"
        with pytest.raises(AwsRequestError, match="AccessDenied") as caught:
            aws.get_object("bucket", "key")
        assert not caught.value.transient


def _answer(server: socket.socket, answers: list[bytes]) -> None:
    for answer in answers:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)


class _Bucket:
    def __init__(self) -> None:
        self.uploads: list[tuple[str, bytes]] = []

    def upload(self, opened: Callable[[], BinaryIO], bucket: str, key: str) -> None:
        with opened() as file:
            self.uploads.append((f"{bucket}/{key}", file.read()))


def test_a_mirror_uploads_what_has_come_to_rest_and_at_the_end_all_that_changed(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "old").write_text("from S3")
    bucket = _Bucket()
    mirror = Mirror(bucket, Tree(folder), "s3://b/c")  # type: ignore[arg-type]
    (folder / "new").write_text("1")
    mirror.sweep()
    assert bucket.uploads == [], "a file that has just appeared may be in the making"
    mirror.sweep()
    assert bucket.uploads == [("b/c/new", b"1")]
    (folder / "new").write_text("22")
    (folder / "last").write_text("3")
    mirror.sweep(final=True)
    assert sorted(bucket.uploads[1:]) == [("b/c/last", b"3"), ("b/c/new", b"22")]
    mirror.sweep(final=True)
    assert len(bucket.uploads) == 3
