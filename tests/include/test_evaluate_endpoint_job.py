"""The judgement of a model through its endpoint: each kind of endpoint, the figures, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import files, load, run

KINDS = {"blazingtext": "application/json", "csv": "text/csv", "jsonlines": "application/jsonlines"}
SIZES = {"models/a.tar.gz": 1000, "models/b.tar.gz": 24}


def texts_of(protocol: str, body: str) -> list[str]:
    """The texts in a request, read as that kind of endpoint reads it."""
    if protocol == "blazingtext":
        return list(json.loads(body)["instances"])
    if protocol == "csv":
        return [text for (text,) in csv.reader(io.StringIO(body))]
    return [json.loads(line)["features"][0] for line in body.splitlines()]


def answer_of(protocol: str, labels: list[int]) -> str:
    """What that kind of endpoint answers."""
    if protocol == "blazingtext":
        return json.dumps([{"label": [f"__label__{label}"], "prob": [0.75]} for label in labels])
    if protocol == "csv":
        return "".join(f"{label},0.75\n" for label in labels)
    return "".join(json.dumps({"predicted_label": label, "probability": 0.75}) + "\n" for label in labels)


class Aws:
    """An endpoint that finds a text good when it says so, else awful; and S3 with the models' sizes."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answer: bytes | None = None
        self.speaks: str | None = None

    def invoke_endpoint(self, EndpointName: str, Body: str, ContentType: str, Accept: str) -> dict[str, Any]:
        assert EndpointName == "judged" and ContentType == Accept
        protocol = next(kind for kind, content_type in KINDS.items() if content_type == ContentType)
        texts = texts_of(protocol, Body)
        self.asked.append(texts)
        said = answer_of(self.speaks or protocol, [1 if "good" in text else -1 for text in texts]).encode()
        return {"Body": io.BytesIO(said if self.answer is None else self.answer)}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        if (Bucket, Key) not in {("bucket", key) for key in SIZES}:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
        return {"ContentLength": SIZES[Key]}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr("boto3.client", lambda service, region_name: made)
    return made


def hold_out(folder: Path, texts: list[str], sentiments: list[int] | None = None, parts: int = 1) -> None:
    """A test split as the features job writes it."""
    (folder / "test").mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        rows = range(part, len(texts), parts)
        table = pa.table(
            {
                "review_id": [str(number) for number in rows],
                "review_body": [texts[number] for number in rows],
                "sentiment": pa.array([(sentiments or [0] * len(texts))[number] for number in rows], pa.int8()),
            }
        )
        pq.write_table(table, folder / "test" / f"part-algo-{part + 1}.parquet")


def judge(folder: Path, protocol: str = "jsonlines", **arguments: Any) -> int:
    words = {
        "endpoint-name": "judged",
        "protocol": protocol,
        "model": "a-model",
        "input": folder,
        "output": folder / "out",
        "reason": folder / "a/b/message",
    }
    return run("evaluate_endpoint", **words, **arguments)


def report(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "report" / "evaluation.json").read_text()))


REVIEWS = (["It's good, yes", 'bad\r\nand "worse"', "good enough", "so-so"], [1, -1, 0, 0])


@pytest.mark.parametrize(
    ("protocol", "asked"),
    [
        ("blazingtext", ["it 's good yes", "bad and worse", "good enough", "so-so"]),
        ("csv", ["It's good  yes", 'bad  and "worse"', "good enough", "so-so"]),
        ("jsonlines", REVIEWS[0]),
    ],
)
def test_each_kind_of_endpoint_is_asked_in_the_form_it_was_taught(
    tmp_path: Path, aws: Aws, protocol: str, asked: list[str]
) -> None:
    hold_out(tmp_path, *REVIEWS)
    assert judge(tmp_path, protocol) == 0
    assert aws.asked[0] == asked
    said = report(tmp_path)
    metrics = {name: metric["value"] for name, metric in said["metrics"].items()}
    assert metrics["accuracy"] == 0.5
    assert metrics["confusion_matrix"] == [[1, 0, 0], [1, 0, 1], [0, 0, 1]]
    # By hand: negative 1/2 and 1/1, neutral none, positive 1/2 and 1/1.
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)
    assert metrics["per_class"]["1"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1.0}
    assert said["reviews"] == 4
    assert files(tmp_path / "out" / "report") == [
        "confusion_matrix.png",
        "evaluation.json",
        "misclassified.csv",
        "predictions.csv",
    ]
    errors = (tmp_path / "out/report/misclassified.csv").read_text().splitlines()
    assert errors[1:] == ["2,0,1,0.75,good enough", "3,0,-1,0.75,so-so"]


def test_the_report_says_what_was_judged_by_what_and_at_what_cost(tmp_path: Path, aws: Aws) -> None:
    hold_out(tmp_path, ["good", "bad"])
    words = ["--model-data", "s3://bucket/models/a.tar.gz", "s3://bucket/models/b.tar.gz", "--training-seconds", "12.5"]
    words += ["--endpoint-name", "judged", "--protocol", "csv", "--model", "autopilot-1", "--kind", "frozen encoder"]
    words += ["--input", str(tmp_path), "--output", str(tmp_path / "out"), "--synthetic", "True"]
    assert load("evaluate_endpoint").main(words) == 0
    said = report(tmp_path)
    assert (said["model"], said["kind"], said["training_seconds"]) == ("autopilot-1", "frozen encoder", 12.5)
    assert said["model_bytes"] == 1024
    assert said["synthetic"] is True
    assert said["test_split"] == {"sha256": hashlib.sha256(b"0\n1").hexdigest(), "reviews": 2}


def test_a_model_of_unknown_size_and_training_is_judged_all_the_same(tmp_path: Path, aws: Aws) -> None:
    hold_out(tmp_path, ["good"])
    assert judge(tmp_path) == 0
    said = report(tmp_path)
    assert (said["model_bytes"], said["training_seconds"], said["synthetic"]) == (None, None, False)


def test_the_fingerprint_is_of_the_reviews_and_not_of_their_order_or_parts(tmp_path: Path, aws: Aws) -> None:
    found = []
    for name, texts, parts in (("a", ["good"] * 7, 1), ("b", ["good"] * 7, 3), ("c", ["good"] * 8, 1)):
        hold_out(tmp_path / name, texts, parts=parts)
        assert judge(tmp_path / name) == 0
        found.append(report(tmp_path / name)["test_split"])
    assert found[0] == found[1] != found[2]


def test_reviews_are_asked_in_batches_and_timed_one_by_one(tmp_path: Path, aws: Aws) -> None:
    hold_out(tmp_path, ["good"] * 250)
    assert judge(tmp_path) == 0
    assert [len(asked) for asked in aws.asked] == [100, 100, 50, *[1] * 100]
    latency = report(tmp_path)["latency_ms"]
    assert latency["requests"] == 100
    assert 0 < latency["p50"] <= latency["p95"]


@pytest.mark.parametrize("protocol", KINDS)
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{",
        b"{}",
        b'[{"label": []}]',
        b'[{"label": ["1x"], "prob": [1]}]',
        b"1,0.5\n1,0.5\n",
        b"2,0.5\n",
        b"1\n",
        b"1,1.5\n",
        b'{"predicted_label": 1}',
        b'{"predicted_label": 1, "probability": null}',
        b"\xff\xfe",
    ],
)
def test_an_endpoint_that_answers_something_else_is_named(
    tmp_path: Path, aws: Aws, protocol: str, answer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_out(tmp_path, ["good"])
    aws.answer = answer
    assert judge(tmp_path, protocol) == 2
    assert f"the endpoint judged does not answer like {protocol}" in capsys.readouterr().err
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize(("protocol", "speaks"), [(one, other) for one in KINDS for other in KINDS if one != other])
def test_an_endpoint_of_another_kind_is_named(
    tmp_path: Path, aws: Aws, protocol: str, speaks: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_out(tmp_path, ["good", "bad"])
    aws.speaks = speaks
    assert judge(tmp_path, protocol) == 2
    assert f"the endpoint judged does not answer like {protocol}" in capsys.readouterr().err


def _no_endpoint(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    error = ClientError({"Error": {"Code": "ValidationError", "Message": "Endpoint not found."}}, "InvokeEndpoint")
    monkeypatch.setattr(aws, "invoke_endpoint", lambda **_: (_ for _ in ()).throw(error))


@pytest.mark.parametrize(
    ("prepare", "arguments", "says"),
    [
        (_no_endpoint, {}, "the endpoint judged does not answer: "),
        (lambda *_: None, {"model-data": "s3://bucket/gone"}, "the model data s3://bucket/gone cannot be looked at"),
    ],
)
def test_an_endpoint_or_a_model_that_is_not_there_is_named(
    tmp_path: Path,
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[..., None],
    arguments: dict[str, str],
    says: str,
) -> None:
    hold_out(tmp_path, ["good"])
    prepare(aws, monkeypatch)
    assert judge(tmp_path, **arguments) == 2
    assert says in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def _away(code: str, status: int) -> Exception:
    from botocore.exceptions import ClientError

    answer: Any = {"Error": {"Code": code, "Message": "away"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "InvokeEndpoint")


@pytest.mark.parametrize(("code", "status"), [("ServiceUnavailable", 503), ("ModelError", 424), ("Throttling", 400)])
def test_an_endpoint_that_is_away_for_a_moment_is_asked_again(
    tmp_path: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    hold_out(tmp_path, ["good"])
    answer, failures = aws.invoke_endpoint, [_away(code, status)] * 3

    def invoke(**request: Any) -> dict[str, Any]:
        if failures:
            raise failures.pop()
        return answer(**request)

    monkeypatch.setattr(aws, "invoke_endpoint", invoke)
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert judge(tmp_path) == 0
    assert failures == [] and report(tmp_path)["reviews"] == 1


def test_an_endpoint_that_stays_away_is_no_wrong_input(
    tmp_path: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_out(tmp_path, ["good"])
    error = _away("ServiceUnavailable", 503)
    monkeypatch.setattr(aws, "invoke_endpoint", lambda **_: (_ for _ in ()).throw(error))
    # The clock goes on by what is slept.
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    clock = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: clock() + sum(slept))
    assert judge(tmp_path) == 1
    assert "the endpoint judged does not answer: " in capsys.readouterr().err
    assert 60 < sum(slept) < 120


def test_a_missing_or_foreign_test_split_is_named(tmp_path: Path, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(tmp_path) == 2
    assert "there is no .parquet file" in capsys.readouterr().err
    hold_out(tmp_path, [])
    assert judge(tmp_path) == 2
    assert "has no rows" in capsys.readouterr().err
    (tmp_path / "test" / "part-algo-1.parquet").write_bytes(b"no parquet")
    assert judge(tmp_path) == 2
    assert "not one of the features job" in capsys.readouterr().err
    assert aws.asked == []
