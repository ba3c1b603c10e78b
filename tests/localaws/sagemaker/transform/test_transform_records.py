"""What a transform job sends to the model for an object, and what it keeps of the answer."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from localaws.sagemaker.transform.jsonpath import JsonPath, NoSuchElement, PathError
from localaws.sagemaker.transform.processing import DataProcessing
from localaws.sagemaker.transform.records import RecordError, Splitting

RECORD = {"a": {"b": [1, 2, 3, 4], "c": "x"}, "d e": None}


def job(content_type: str, split: str = "Line", accept: str | None = None, **processing: str) -> dict[str, Any]:
    output = {"Accept": accept} if accept else {}
    data = {"ContentType": content_type, "SplitType": split}
    return {"TransformInput": data, "TransformOutput": output, "DataProcessing": processing}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", RECORD),
        ("$.a.c", "x"),
        ("$['d e']", None),
        ("$['a']['c']", "x"),
        ("$.a['b','c']", {"b": [1, 2, 3, 4], "c": "x"}),
        ("$.a.['b','c']", {"b": [1, 2, 3, 4], "c": "x"}),
        ("$.a.b[0]", 1),
        ("$.a.b[0,-1]", [1, 4]),
        ("$.a.b[1:3]", [2, 3]),
        ("$.a.b[:-1]", [1, 2, 3]),
        ("$.a.b[*]", [1, 2, 3, 4]),
        ("$.a.*", [[1, 2, 3, 4], "x"]),
    ],
)
def test_a_path_finds(path: str, found: Any) -> None:
    assert JsonPath(path)(RECORD) == found


@pytest.mark.parametrize(
    "path", ["", "a", "$a", "$.", "$.a.", "$[", "$[x]", "$['a',0]", "$[?(@.a>1)]", "$..a", "$.a b"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        JsonPath(path)


@pytest.mark.parametrize("path", ["$.z", "$[0]", "$.a.b.c", "$.a.b[9]", "$['a','z']", "$.a.c[0:1]"])
def test_a_path_to_nothing_says_so(path: str) -> None:
    with pytest.raises(NoSuchElement, match="the record has nothing at"):
        JsonPath(path)(RECORD)


def test_lines_fill_requests_up_to_the_limit_or_go_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_bytes(b"aaaa\r\n\nbbbb\ncccc")

    assert list(Splitting(False, True, True, 10).requests(file)) == [[b"aaaa", b"bbbb"], [b"cccc"]]
    assert list(Splitting(False, True, False, 10).requests(file)) == [[b"aaaa"], [b"bbbb"], [b"cccc"]]
    assert list(Splitting(False, False, True, 0).requests(file)) == [[b"aaaa\r\n\nbbbb\ncccc"]]


@pytest.mark.parametrize(
    ("content", "gzipped", "words"),
    [
        (b"x" * ((1 << 20) + 1), False, "larger than MaxPayloadInMB, 1, allows"),
        (b"not compressed", True, "not in Gzip format"),
        (gzip.compress(b"cut short" * 99, mtime=0)[:-9], True, "not in Gzip format"),
    ],
)
def test_an_object_that_cannot_be_read_is_the_clients_fault(
    tmp_path: Path, content: bytes, gzipped: bool, words: str
) -> None:
    (tmp_path / "object").write_bytes(content)

    with pytest.raises(RecordError, match=words) as caught:
        list(Splitting(gzipped, True, True, 1 << 20).requests(tmp_path / "object"))
    assert caught.value.whose == "ClientError"


@pytest.mark.parametrize(
    ("request_", "records", "payload", "answer", "result"),
    [
        (
            job("text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]"),
            [b'id1,"a, b"', b"id2,c,d"],
            b'"a, b"\nc,d',
            b"6\n3\n",
            b"id1,6\nid2,3",
        ),
        (
            job(
                "application/jsonlines", InputFilter="$.t", JoinSource="Input", OutputFilter="$['i','SageMakerOutput']"
            ),
            [b'{"i": 1, "t": "ab"}'],
            b'"ab"',
            b'{"p": 0.5}\n',
            b'{"i": 1, "SageMakerOutput": {"p": 0.5}}',
        ),
        (
            job("application/jsonlines", JoinSource="Input"),
            [b"[1, 2]", b"[3]"],
            b"[1, 2]\n[3]",
            b"0\n1",
            b'{"SageMakerInput": [1, 2], "SageMakerOutput": 0}\n{"SageMakerInput": [3], "SageMakerOutput": 1}',
        ),
        (
            job("application/json", "None", JoinSource="Input"),
            [b'{\n"a": 1\n}'],
            b'{\n"a": 1\n}',
            b'{\n"p": 2\n}',
            b'{"a": 1, "SageMakerOutput": {"p": 2}}',
        ),
        (
            job("text/csv", "None", "application/json", InputFilter="$[0]", OutputFilter="$.p"),
            [b"1,2\n3,4\n"],
            b"1\n3",
            b'{"p": 7}\n{"p": 8}',
            b"7\n8",
        ),
    ],
)
def test_records_are_filtered_joined_with_the_answer_and_filtered_again(
    request_: dict[str, Any], records: list[bytes], payload: bytes, answer: bytes, result: bytes
) -> None:
    processing = DataProcessing(request_)

    assert processing.payload(records) == payload
    assert processing.result(records, answer) == result


@pytest.mark.parametrize(
    ("request_", "records", "answer", "words", "whose"),
    [
        (job("text/csv", InputFilter="$[5]"), [b"a,b"], b"", "nothing at", "ClientError"),
        (job("application/jsonlines", InputFilter="$.a"), [b"{"], b"", "parse a record as JSON", "ClientError"),
        (job("text/csv", JoinSource="Input"), [b"a", b"b"], b"1", "mismatched line count", "AlgorithmError"),
        (
            job("application/jsonlines", OutputFilter="$.p"),
            [b"1"],
            b"oh",
            "from the algorithm as JSON",
            "AlgorithmError",
        ),
    ],
)
def test_records_and_answers_that_do_not_fit_name_whose_fault_it_is(
    request_: dict[str, Any], records: list[bytes], answer: bytes, words: str, whose: str
) -> None:
    processing = DataProcessing(request_)

    with pytest.raises(RecordError, match=words) as caught:
        processing.payload(records)
        processing.result(records, answer)
    assert caught.value.whose == whose


def test_an_object_is_read_as_its_records_are_sent(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    line = b'{"source": "' + b"fine " * 100 + b'"}\n'
    lines = 40_000
    path.write_bytes(line * lines)
    request = {**job("application/jsonlines"), "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 1}
    tracemalloc.start()
    sizes = [(len(records), sum(map(len, records)) + len(records)) for records in Splitting.of(request).requests(path)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(count for count, _ in sizes) == lines and max(size for _, size in sizes) <= 1 << 20
    # 20 MB of lines; two requests of a megabyte at once.
    assert peak < 4 << 20
