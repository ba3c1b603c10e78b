"""The serving script: formats in and out, what it refuses, and requests that arrive together."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jobs_kit import job_folder, load
from waiting_kit import until

LINES, JSON, CSV = "application/jsonlines", "application/json", "text/csv"


@pytest.fixture(scope="module")
def serving(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The script as an endpoint gets it: out of the model's own ``code/``, where other tests find no bytecode of it."""
    with job_folder(Path(shutil.copytree(trained / "model" / "code", tmp_path_factory.mktemp("serving") / "code"))):
        yield __import__("inference")


@pytest.fixture(scope="module")
def model(serving: ModuleType, trained: Path) -> Any:
    return serving.model_fn(str(trained / "model"))


def answer(serving: ModuleType, model: Any, body: str | bytes, content_type: str = LINES, accept: str = LINES) -> str:
    return str(serving.output_fn(serving.predict_fn(serving.input_fn(body, content_type), model), accept))


GOOD = "love the perfect color, gorgeous and comfortable"
BAD = "awful and cheap, i returned the top"


def test_json_lines_are_answered_line_by_line(serving: ModuleType, model: Any) -> None:
    body = f'{{"features": ["{GOOD}"]}}\n\n{{"features": ["{BAD}"]}}\n'
    good, bad = map(json.loads, answer(serving, model, body).splitlines())
    assert (good["predicted_label"], bad["predicted_label"]) == (1, -1)
    assert set(good) == {"predicted_label", "probability"} and 1 / 3 < good["probability"] <= 1


def test_lines_are_answered_by_lines_where_the_toolkit_asks_for_its_default(serving: ModuleType, model: Any) -> None:
    body = json.dumps({"features": [GOOD]})
    assert answer(serving, model, body, LINES, JSON) == answer(serving, model, body, LINES, LINES)


@pytest.mark.parametrize(
    "body",
    [[GOOD, BAD], {"instances": [GOOD, BAD]}, [{"features": [GOOD]}, {"features": BAD}]],
    ids=["list", "instances", "records"],
)
def test_json_is_answered_by_a_list(serving: ModuleType, model: Any, body: Any) -> None:
    answers = json.loads(answer(serving, model, json.dumps(body), JSON, JSON))
    assert [one["predicted_label"] for one in answers] == [1, -1]


def test_csv_is_a_text_a_row_and_answered_by_label_and_probability(serving: ModuleType, model: Any) -> None:
    rows = answer(serving, model, f'"{GOOD}"\r\n"{BAD}"\r\n', f"{CSV}; charset=utf-8", CSV).splitlines()
    assert [row.split(",")[0] for row in rows] == ["1", "-1"]


@pytest.mark.parametrize(("text", "read"), [("title_body", "Great. fine"), ("body", "fine")])
@pytest.mark.parametrize(("body", "form"), [('{"features": ["Great", "fine"]}', LINES), ("Great,fine\n", CSV)])
def test_of_title_and_body_the_model_reads_what_it_was_trained_on(
    serving: ModuleType, text: str, read: str, body: str, form: str
) -> None:
    class Reader:
        def __init__(self) -> None:
            self.text = text

        def __call__(self, texts: list[str]) -> list[dict[str, Any]]:
            return [{"read": one} for one in texts]

    assert serving.predict_fn(serving.input_fn(body, form), Reader())[0] == [{"read": read}]


def test_an_archive_says_what_its_model_has_read(model: Any) -> None:
    assert model.text == "title_body"


def test_accept_chooses_the_form_and_nothing_chosen_means_that_of_the_request(serving: ModuleType, model: Any) -> None:
    body = json.dumps([GOOD])
    assert json.loads(answer(serving, model, body, JSON, LINES))["predicted_label"] == 1
    assert answer(serving, model, body, JSON, CSV).startswith("1,")
    assert isinstance(json.loads(answer(serving, model, body, JSON, "*/*")), list)


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        ('{"features": ["fine"]}\n{"features": ', LINES, "line 2 is not JSON"),
        ('{"features": ["fine"]}\n\n{"text": "no"}', LINES, "line 3 has no text"),
        ('{"features": ["one", "two", "three"]}', LINES, "line 1 has no text"),
        ('{"features": ["one", null]}', LINES, "line 1 has no text"),
        ('{"features": []}', LINES, "line 1 has no text"),
        ('{"features": [7]}', LINES, "line 1 has no text"),
        ("[1]", JSON, "item 1 has no text"),
        ("{", JSON, "not JSON"),
        ('"a', CSV, "not CSV"),
        (b"caf\xe9", LINES, "not UTF-8: byte 3"),
        ("x", "image/png", "'image/png' is not one of"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    serving: ModuleType, body: str | bytes, content_type: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        serving.input_fn(body, content_type)


def test_no_line_gets_no_answer_and_odd_texts_get_one_each(serving: ModuleType, model: Any) -> None:
    assert answer(serving, model, "\n") == ""
    texts = ["", " ", "👗💖", "פריט יפה", "a \0 b", "word " * 200_000, "x" * 1_000_000]
    body = "\n".join(json.dumps({"features": [text]}) for text in texts)
    assert len(answer(serving, model, body).splitlines()) == len(texts)


def test_a_text_gets_the_same_answer_alone_and_among_others(serving: ModuleType, model: Any) -> None:
    texts = [GOOD, BAD, "it is okay", GOOD + BAD, "short"] * 30
    together = model(texts)
    for text, one in zip(texts[:5], together[:5], strict=True):
        alone = model([text])[0]
        assert alone["predicted_label"] == one["predicted_label"]
        assert alone["probability"] == pytest.approx(one["probability"], abs=1e-4)


def test_a_wider_batch_as_on_a_gpu_gives_the_same_answer(serving: ModuleType, model: Any) -> None:
    before = model([GOOD, BAD])
    model.multiple = 8
    try:
        assert model.padded([[1, 2, 3]])["attention_mask"].tolist() == [[1] * 3 + [0] * 5]
        wide = model([GOOD, BAD])
    finally:
        model.multiple = 1
    for one, other in zip(before, wide, strict=True):
        assert one["predicted_label"] == other["predicted_label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)


def test_many_threads_get_their_own_answers(serving: ModuleType, model: Any) -> None:
    texts = [[GOOD], [BAD], [BAD, GOOD]] * 8
    answers: list[list[int]] = [[] for _ in texts]

    def ask(at: int) -> None:
        answers[at] = [one["predicted_label"] for one in model(texts[at])]

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[1], [-1], [-1, 1]] * 8


class Recorder:
    """Work that waits at a gate and records its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.gate = threading.Event(), threading.Event()

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.begun.set()
        self.gate.wait(10)
        if -1 in items:
            raise RuntimeError("no")
        return [item * 10 for item in items]


def start(batcher: Any, items: list[int], answers: dict[int, Any]) -> threading.Thread:
    def ask() -> None:
        try:
            answers[items[0]] = batcher(items)
        except RuntimeError as error:
            answers[items[0]] = error

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def queued(batcher: Any, number: int) -> None:
    until(lambda: len(batcher._queue), lambda length: length == number, 10, every=0.001)


def test_requests_that_come_while_the_model_works_are_done_together_next() -> None:
    work, answers = Recorder(), dict[int, Any]()
    batcher = load("train", "microbatch").MicroBatcher(work, most=8)
    threads = [start(batcher, [1, 2], answers)]
    work.begun.wait(10)
    threads += [start(batcher, [item], answers) for item in (3, 4, 5)]
    queued(batcher, 3)
    work.gate.set()
    for thread in threads:
        thread.join(10)
    assert answers == {1: [10, 20], 3: [30], 4: [40], 5: [50]}
    assert work.batches[0] == [1, 2] and sorted(work.batches[1]) == [3, 4, 5] and len(work.batches) == 2


def test_a_batch_has_no_more_than_its_limit_unless_one_request_is_larger() -> None:
    work, answers = Recorder(), dict[int, Any]()
    batcher = load("train", "microbatch").MicroBatcher(work, most=3)
    threads = [start(batcher, [0], answers)]
    work.begun.wait(10)
    threads += [start(batcher, items, answers) for items in ([1, 2], [3, 4], [5, 6, 7, 8, 9])]
    queued(batcher, 3)
    work.gate.set()
    for thread in threads:
        thread.join(10)
    assert sorted(map(len, work.batches)) == [1, 2, 2, 5]
    assert answers[5] == [50, 60, 70, 80, 90]


def test_a_failure_reaches_those_in_the_batch_and_nobody_after() -> None:
    work, answers = Recorder(), dict[int, Any]()
    work.gate.set()
    batcher = load("train", "microbatch").MicroBatcher(work)
    with pytest.raises(RuntimeError, match="no"):
        batcher([-1])
    start(batcher, [6], answers).join(10)
    assert answers == {6: [60]}


def test_bf16_is_for_those_who_allow_it_and_changes_no_label(
    serving: ModuleType, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{text} {number}" for number in range(40) for text in (GOOD, BAD)]
    assert not model.bf16
    exact = model(texts)
    monkeypatch.setattr(model, "bf16", False)
    monkeypatch.setitem(model.allow_bf16.__func__.__globals__, "gains_by_bf16", lambda device: True)
    model.allow_bf16()
    rounded = model(texts)
    assert [one["predicted_label"] for one in rounded] == [one["predicted_label"] for one in exact]
    assert rounded != exact
    assert max(abs(a["probability"] - b["probability"]) for a, b in zip(rounded, exact, strict=True)) < 0.02
