"""The model server's inside: code/inference.py, the toolkits' defaults, and what a failure answers."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from localaws.images.inference import Model, RequestContext
from localaws.images.inference_defaults import InferenceError


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path
    for module in ("inference", "serve"):
        sys.modules.pop(module, None)


def load(base: Path, code: str | None, framework: str = "pytorch", program: str = "inference.py") -> Model:
    (base / "model" / "code").mkdir(parents=True, exist_ok=True)
    if code is not None:
        (base / "model" / "code" / program).write_text(code)
    return Model.load(base, framework)


def ask(model: Model, body: bytes, **headers: str) -> tuple[int, bytes, str, dict[str, str]]:
    names = {"content_type": "Content-Type", "accept": "Accept"}
    context = RequestContext(model.directory, {names.get(name, name): value for name, value in headers.items()})
    reply = model.answer(body, context)
    return reply.status, reply.body, reply.content_type, reply.headers


def test_the_four_functions_are_called_in_turn_with_what_the_toolkit_gives_them(tmp_path: Path) -> None:
    model = load(
        tmp_path,
        "def model_fn(model_dir): return model_dir\n"
        "def input_fn(body, content_type): return [type(body).__name__, content_type]\n"
        "def predict_fn(data, model): return data + [model]\n"
        "def output_fn(prediction, accept): return '|'.join(prediction + [accept])\n",
    )
    status, body, content_type, _ = ask(model, b"1", content_type="application/json", accept="text/plain")
    assert (status, content_type) == (200, "text/plain")
    assert body.decode() == f"str|application/json|{tmp_path}/model|text/plain"
    # Only JSON and CSV are given as text.
    assert ask(model, b"1", content_type="application/jsonlines")[1].startswith(b"bytes|application/jsonlines")


def test_transform_fn_does_all_and_may_name_the_content_type(tmp_path: Path) -> None:
    model = load(
        tmp_path,
        "def model_fn(model_dir): return 3\n"
        "def transform_fn(model, body, content_type, accept): return str(int(body) * model), 'text/x-number'\n",
    )
    assert ask(model, b"14", content_type="text/csv")[:3] == (200, b"42", "text/x-number")


def test_transform_fn_beside_another_function_is_refused(tmp_path: Path) -> None:
    code = "def model_fn(d): pass\ndef transform_fn(m, b, c, a): pass\ndef predict_fn(d, m): pass\n"
    with pytest.raises(InferenceError, match="transform_fn cannot stand beside"):
        load(tmp_path, code)


def test_a_function_may_take_the_context_and_set_headers_and_status(tmp_path: Path) -> None:
    model = load(
        tmp_path,
        "def model_fn(model_dir, context): return context.system_properties['model_dir']\n"
        "def input_fn(body, content_type, context=None): return context.get_request_header(0, 'X-Thing')\n"
        "def predict_fn(data, model, anything): return data\n"
        "def output_fn(prediction, accept, context):\n"
        "    context.set_response_header(0, 'X-Back', prediction)\n"
        "    context.set_response_status(201)\n"
        "    return 'done'\n",
    )
    status, body, _, headers = ask(model, b"", **{"x-thing": "seen"})
    assert (status, body, headers) == (201, b"done", {"X-Back": "seen"})


def test_a_function_of_the_wrong_shape_is_named_at_load(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="predict_fn takes 1 arguments, and 2 are given"):
        load(tmp_path, "def model_fn(d): pass\ndef predict_fn(data): pass\n")


def test_a_failing_function_answers_its_message_and_logs_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "def model_fn(d): pass\ndef input_fn(b, c): raise ValueError('line 2 has no features')\n"
    status, body, _, _ = ask(load(tmp_path, code), b"x")
    assert status == 500
    assert body.decode().splitlines()[0] == "line 2 has no features"
    assert "ValueError: line 2 has no features" in capsys.readouterr().err
    # The Hugging Face container puts the blame on the request.
    assert ask(load(tmp_path, code, "huggingface"), b"x")[0] == 400


def test_an_output_that_is_no_body_is_an_error_that_says_so(tmp_path: Path) -> None:
    code = (
        "def model_fn(d): pass\ndef input_fn(b, c): pass\ndef predict_fn(d, m): pass\ndef output_fn(p, a): return {}\n"
    )
    status, body, _, _ = ask(load(tmp_path, code), b"x")
    assert status == 500
    assert b"output_fn must return str or bytes, not dict" in body


def test_sagemaker_program_names_another_file_and_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "serve.py")
    with pytest.raises(InferenceError, match=r"SAGEMAKER_PROGRAM is serve\.py"):
        load(tmp_path, None)
    code = "import helper\ndef model_fn(d): return helper.VALUE\ndef transform_fn(m, b, c, a): return m\n"
    (tmp_path / "model" / "code" / "helper.py").write_text("VALUE = 'from beside'")
    assert ask(load(tmp_path, code, program="serve.py"), b"")[1] == b"from beside"


@pytest.mark.parametrize("framework", ["pytorch", "huggingface", "scikit-learn"])
def test_an_archive_without_code_or_model_says_what_is_missing(tmp_path: Path, framework: str) -> None:
    with pytest.raises(InferenceError, match=r"code/inference\.py"):
        load(tmp_path, None, framework)


def test_requirements_that_are_not_installed_are_named(tmp_path: Path) -> None:
    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "model" / "code" / "requirements.txt").write_text("numpy\nno-such-package==1.0\n")
    with pytest.raises(InferenceError, match=r"not installed here: no-such-package==1\.0"):
        load(tmp_path, "def model_fn(d): pass\n")


NUMBERS = [[1.0, 2.0], [3.0, 4.0]]


def npy(values: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"[[1, 2], [3, 4]]"),
        ("application/json; charset=utf-8", b"[[1, 2], [3, 4]]"),
        ("application/jsonlines", b"[1, 2]\n[3, 4]\n"),
        ("text/csv", b"1,2\n3,4"),
        ("application/x-npy", npy(NUMBERS)),
    ],
)
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", b"[[2.0, 4.0], [6.0, 8.0]]"),
        ("application/jsonlines", b"[2.0, 4.0]\n[6.0, 8.0]\n"),
        ("text/csv", b"2.0,4.0\n6.0,8.0\n"),
        ("application/x-npy", npy([[2.0, 4.0], [6.0, 8.0]])),
        ("text/html, application/json;q=0.5", b"[[2.0, 4.0], [6.0, 8.0]]"),
    ],
)
def test_the_defaults_decode_and_encode_arrays(
    tmp_path: Path, content_type: str, body: bytes, accept: str, expected: bytes
) -> None:
    code = "class Twice:\n    def predict(self, data): return data * 2.0\ndef model_fn(d): return Twice()\n"
    status, answer, _, _ = ask(load(tmp_path, code, "scikit-learn"), body, content_type=content_type, accept=accept)
    assert (status, answer) == (200, expected)


def test_an_unknown_content_type_is_415_and_an_unknown_accept_406(tmp_path: Path) -> None:
    model = load(tmp_path, "def model_fn(d): pass\ndef predict_fn(d, m): return [1]\n", "scikit-learn")
    assert ask(model, b"x", content_type="image/png")[0] == 415
    assert ask(model, b"[1]", content_type="application/json", accept="image/png")[0] == 406
    assert ask(model, b"\xff[1]", content_type="application/json")[0] == 400


def test_a_pickle_in_a_request_is_not_loaded(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    model = load(tmp_path, "def model_fn(d): pass\ndef predict_fn(d, m): return [1]\n", "scikit-learn")
    status, body, _, _ = ask(model, file.getvalue(), content_type="application/x-npy")
    assert status == 500
    assert b"allow_pickle=False" in body


def test_the_default_accept_is_json_or_what_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "def model_fn(d): pass\ndef predict_fn(d, m): return d\n"
    assert ask(load(tmp_path, code, "scikit-learn"), b"[1]", content_type="application/json")[2] == "application/json"
    monkeypatch.setenv("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv")
    assert ask(load(tmp_path, code, "scikit-learn"), b"[1]", accept="*/*")[1:3] == (b"1\n", "text/csv")


def test_a_torchscript_file_is_served_without_code(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "model").mkdir()
    torch.jit.trace(torch.nn.Linear(2, 1), torch.zeros(1, 2)).save(str(tmp_path / "model" / "model.pt"))
    status, body, _, _ = ask(load(tmp_path, None), b"[[1, 2], [3, 4]]", content_type="application/json")
    assert status == 200
    assert np.array(json.loads(body)).shape == (2, 1)


def test_a_hugging_face_model_is_served_without_code(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path / "model"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    model = load(tmp_path, None, "huggingface")
    status, body, _, _ = ask(model, json.dumps({"inputs": ["good", "bad"]}).encode(), content_type="application/json")
    assert status == 200
    assert [set(row) for row in json.loads(body)] == [{"label", "score"}] * 2
    assert ask(model, b"a,b\n1,2", content_type="text/csv")[0] == 400
