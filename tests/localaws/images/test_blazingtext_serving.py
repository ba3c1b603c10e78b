"""BlazingText's serving: what it answers to JSON and JSON Lines, for labels and for vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fasttext
import pytest
from blazingtext_kit import QUICK, lines, train

from localaws.images.blazingtext.serve import load
from localaws.images.inference import Model, Reply, RequestContext
from localaws.images.inference_defaults import InferenceError

JSON, JSON_LINES = "application/json", "application/jsonlines"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``/opt/ml`` of an endpoint with a trained classifier."""
    folder = tmp_path_factory.mktemp("classifier")
    train(folder, QUICK, {"train": lines(600)})
    return folder


@pytest.fixture(scope="module")
def classifier(base: Path) -> Model:
    return load(base, "blazingtext")


def ask(model: Model, body: str | bytes, content_type: str = JSON, accept: str = JSON) -> Reply:
    content = body.encode() if isinstance(body, str) else body
    return model.answer(content, RequestContext(model.directory, {"Content-Type": content_type, "Accept": accept}))


def test_json_gives_the_most_probable_label_of_each_instance(classifier: Model) -> None:
    reply = ask(classifier, json.dumps({"instances": ["i love this perfect dress", "awful , i returned it"]}))
    assert (reply.status, reply.content_type) == (200, JSON)
    first, second = json.loads(reply.body)
    assert first["label"] == ["__label__1"]
    assert second["label"] == ["__label__-1"]
    assert set(first) == {"label", "prob"}
    assert 0.5 < first["prob"][0] <= 1


@pytest.mark.parametrize(("k", "labels"), [(1, 1), (2, 2), (9, 3)])
def test_k_labels_by_falling_probability_as_far_as_there_are(classifier: Model, k: int, labels: int) -> None:
    body = {"instances": ["okay dress"], "configuration": {"k": k}}
    (answer,) = json.loads(ask(classifier, json.dumps(body)).body)
    assert len(answer["label"]) == len(answer["prob"]) == labels
    assert answer["prob"] == sorted(answer["prob"], reverse=True)


def test_probabilities_are_the_model_s_own(base: Path, classifier: Model) -> None:
    labels, probabilities = fasttext.load_model(str(base / "model" / "model.bin")).predict("fine dress", k=3)
    body = {"instances": ["fine dress"], "configuration": {"k": 3}}
    (answer,) = json.loads(ask(classifier, json.dumps(body)).body)
    assert answer["label"] == list(labels)
    assert answer["prob"] == pytest.approx(list(probabilities), abs=1e-6)


def test_json_lines_are_answered_line_by_line_each_with_its_own_k(classifier: Model) -> None:
    body = '{"source": "i love it"}\n\n{"source": "awful", "k": 2}\n'
    # What is accepted says nothing: the answer is in the type of the request.
    reply = ask(classifier, body, JSON_LINES, JSON)
    assert reply.content_type == JSON_LINES
    first, second = (json.loads(line) for line in reply.body.decode().splitlines())
    assert (len(first["label"]), len(second["label"])) == (1, 2)
    assert first["label"] == ["__label__1"]


def test_line_breaks_and_nothing_at_all_are_no_trouble(classifier: Model) -> None:
    body = {"instances": ["i love\nthis perfect\r\ndress", "", "🙂 شال"]}
    answers = json.loads(ask(classifier, json.dumps(body)).body)
    assert answers[0]["label"] == ["__label__1"]
    assert [len(answer["label"]) for answer in answers] == [1, 1, 1]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        ("{", JSON, 400, "the body is not JSON"),
        ("[1]", JSON, 400, 'the body must be {"instances": [text, ...]}'),
        ('{"instances": "text"}', JSON, 400, "the body must be"),
        ('{"instances": [1]}', JSON, 400, "the body must be"),
        (
            '{"instances": ["a"], "configuration": {"k": 0}}',
            JSON,
            400,
            "configuration.k is 0: it must be a positive integer",
        ),
        ('{"instances": ["a"], "configuration": {"k": true}}', JSON, 400, "configuration.k is True"),
        ('{"instances": ["a"], "configuration": 3}', JSON, 400, "configuration is not a JSON object"),
        ('{"source": "a"}\n{oops\n', JSON_LINES, 400, "line 2 is not JSON"),
        ('{"text": "a"}\n', JSON_LINES, 400, 'line 1 must be {"source": text}'),
        ('{"source": "a", "k": "2"}\n', JSON_LINES, 400, "k in line 1 is '2'"),
        (b'{"instances": ["\xff"]}', JSON, 400, "not UTF-8"),
        ("a,b\n", "text/csv", 415, "content type text/csv is not supported: give application/json"),
    ],
)
def test_a_malformed_request_is_refused_with_the_reason(
    classifier: Model, body: str | bytes, content_type: str, status: int, reason: str
) -> None:
    reply = ask(classifier, body, content_type)
    assert reply.status == status
    assert reason in reply.body.decode()


@pytest.mark.parametrize(("subwords", "known"), [("False", False), ("True", True)])
def test_vectors_are_zeros_for_a_word_never_seen_unless_subwords_were_learnt(
    tmp_path: Path, subwords: str, known: bool
) -> None:
    settings = {"mode": "skipgram", "min_count": "1", "vector_dim": "6", "buckets": "500", "subwords": subwords}
    train(tmp_path, settings, {"train": lines(300)})
    reply = ask(load(tmp_path, "blazingtext"), json.dumps({"instances": ["dress", "dressing"]}))
    first, second = json.loads(reply.body)
    assert (first["word"], len(first["vector"])) == ("dress", 6)
    assert any(first["vector"])
    assert any(second["vector"]) == known


@pytest.mark.parametrize(
    ("files", "reason"),
    [({}, "neither model.bin nor vectors.bin"), ({"model.bin": b"nothing of fastText's"}, "not a model of fastText")],
)
def test_an_archive_without_a_model_does_not_load(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    (tmp_path / "model").mkdir()
    for name, content in files.items():
        (tmp_path / "model" / name).write_bytes(content)
    with pytest.raises(InferenceError, match=reason):
        load(tmp_path, "blazingtext")


def test_a_model_of_fasttext_s_own_is_served_too(tmp_path: Path) -> None:
    text = tmp_path / "train.txt"
    text.write_text(lines(300))
    (tmp_path / "model").mkdir()
    trained: Any = fasttext.train_supervised(input=str(text), dim=10, verbose=0, bucket=1000, epoch=10, lr=0.5)
    trained.save_model(str(tmp_path / "model" / "model.bin"))
    (answer,) = json.loads(ask(load(tmp_path, "blazingtext"), '{"instances": ["i love this"]}').body)
    assert answer["label"] == ["__label__1"]
