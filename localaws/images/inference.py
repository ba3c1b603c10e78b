"""
What turns a request into an inference: the functions of ``code/inference.py``, with the toolkits' defaults.

The contract is that of SageMaker's PyTorch, Hugging Face and scikit-learn serving containers:

* ``model_fn(model_dir)`` loads the model, once;
* ``input_fn(body, content_type)``, ``predict_fn(data, model)`` and ``output_fn(prediction, accept)`` serve a request,
  or ``transform_fn(model, body, content_type, accept)`` does all of it;
* each may take the request's context as one more argument;
* a body in JSON or CSV is given as text, any other as bytes;
* ``output_fn`` returns the body, or ``(body, content_type)``.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from localaws.images import inference_defaults as defaults
from localaws.images.inference_defaults import InferenceError
from localaws.images.requirements import unsatisfied

_FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn")


@dataclass(frozen=True)
class Reply:
    """What the container answers over HTTP."""

    status: int
    body: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)


class RequestContext:
    """
    What a function sees of its request when it takes a ``context``, under the model servers' names.

    :param model_dir: where the model is; ``system_properties["model_dir"]``.
    :param headers: the request's headers.
    """

    def __init__(self, model_dir: Path, headers: dict[str, str]) -> None:
        self.system_properties = {"model_dir": str(model_dir), "gpu_id": None, "batch_size": 1}
        self.response_headers: dict[str, str] = {}
        self.response_status = 200
        self.response_content_type: str | None = None
        self._headers = {name.lower(): value for name, value in headers.items()}

    def get_request_header(self, idx: int, key: str) -> str | None:
        """Return the value of a request header, in any case; ``idx`` is 0, the position in a batch of one."""
        return self._headers.get(key.lower())

    def get_all_request_header(self, idx: int) -> dict[str, str]:
        """Return all headers of the request, names in lower case."""
        return dict(self._headers)

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        """Add a header to the response, such as ``X-Amzn-SageMaker-Custom-Attributes``."""
        self.response_headers[key] = value

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Set the response's content type."""
        self.response_content_type = value

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Set the response's status."""
        self.response_status = code


Handler = Callable[..., Any]


def _with_context(function: Handler, arguments: int) -> Handler:
    """Wrap ``function`` so that it always takes ``arguments`` and a context."""
    parameters = inspect.signature(function).parameters.values()
    open_ended = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    if len(required) > arguments + 1 or (len(positional) < arguments and not open_ended):
        raise TypeError(f"{function.__name__} takes {len(positional)} arguments, and {arguments} are given")
    if len(required) == arguments + 1 or "context" in {p.name for p in positional[arguments:]}:
        return function
    return lambda *given: function(*given[:arguments])


class Model:
    """
    A loaded model and the functions that serve it. :meth:`answer` may be called from several threads at once.

    Use :meth:`load`.
    """

    def __init__(self, directory: Path, functions: dict[str, Handler], error_status: int) -> None:
        self.directory = directory
        self._functions = functions
        self._error_status = error_status
        self._default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", defaults.JSON)
        self._model = functions["model_fn"](str(directory), RequestContext(directory, {}))

    @classmethod
    def load(cls, base: Path, framework: str) -> Model:
        """
        Import the user's code, if there is any, and load the model.

        :param base: ``/opt/ml``: the model is in its ``model/``.
        :param framework: whose defaults stand in for missing functions: ``pytorch``, ``huggingface``, ``scikit-learn``.
        """
        directory = base / "model"
        module = _user_module(base, directory)
        given = {name: getattr(module, name) for name in _FUNCTIONS if callable(getattr(module, name, None))}
        if "transform_fn" in given and given.keys() & {"input_fn", "predict_fn", "output_fn"}:
            raise InferenceError(
                "transform_fn cannot stand beside input_fn, predict_fn or output_fn: give one or the other"
            )
        functions = {**defaults.functions(framework), **given}
        arity = {"model_fn": 1, "transform_fn": 4}
        bound = {name: _with_context(function, arity.get(name, 2)) for name, function in functions.items()}
        # The Hugging Face container answers 400 to whatever fails in a handler, the others 500.
        return cls(directory, bound, 400 if framework == "huggingface" else 500)

    def answer(self, body: bytes, context: RequestContext) -> Reply:
        """Serve one request; a failure is an answer with status 4xx or 5xx, and its traceback goes to the log."""
        try:
            return self._transform(body, context)
        except InferenceError as error:
            return Reply(error.status, str(error).encode(), "text/plain")
        except Exception as error:
            trace = trace_of(error)
            print(trace, file=sys.stderr, flush=True)
            return Reply(self._error_status, f"{error}\n{trace}".encode(), "text/plain")

    def _transform(self, body: bytes, context: RequestContext) -> Reply:
        content_type = context.get_request_header(0, "Content-Type") or defaults.JSON
        accept = context.get_request_header(0, "Accept") or defaults.ANY
        if accept == defaults.ANY:
            accept = self._default_accept
        data: str | bytes = body
        if defaults.media_type(content_type) in defaults.TEXT:
            data = _text(body, content_type)
        functions = self._functions
        if "transform_fn" in functions:
            result = functions["transform_fn"](self._model, data, content_type, accept, context)
        else:
            decoded = functions["input_fn"](data, content_type, context)
            prediction = functions["predict_fn"](decoded, self._model, context)
            result = functions["output_fn"](prediction, accept, context)
        result, answered = result if isinstance(result, tuple) else (result, accept)
        return Reply(
            context.response_status,
            _bytes(result),
            context.response_content_type or answered,
            context.response_headers,
        )


def trace_of(error: BaseException) -> str:
    """Format a traceback that begins where the user's code does."""
    ours = str(Path(__file__).parent)
    frames = error.__traceback__
    while frames and frames.tb_next and frames.tb_frame.f_code.co_filename.startswith((ours, "<frozen")):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def _text(body: bytes, content_type: str) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InferenceError(f"the body is not UTF-8, as {content_type} must be: {error}", status=400) from error


def _bytes(result: object) -> bytes:
    if isinstance(result, str):
        return result.encode()
    if isinstance(result, bytes | bytearray | memoryview):
        return bytes(result)
    raise TypeError(f"output_fn must return str or bytes, not {type(result).__name__}")


def _user_module(base: Path, directory: Path) -> ModuleType | None:
    """Import the user's ``inference.py`` or SAGEMAKER_PROGRAM; return ``None`` if there is none."""
    program = os.environ.get("SAGEMAKER_PROGRAM")
    submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    folders = [Path(submitted)] if submitted.startswith("/") else []
    folders += [base / "code", directory / "code"]
    path = next((folder / (program or "inference.py") for folder in folders if _has(folder, program)), None)
    if path is None:
        if program:
            raise InferenceError(f"SAGEMAKER_PROGRAM is {program}, and the model archive has no code/{program}")
        return None
    missing = unsatisfied(path.parent / "requirements.txt")
    if missing:
        raise InferenceError(f"requirements.txt asks for what is not installed here: {'; '.join(missing)}")
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InferenceError(f"{path.name} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _has(folder: Path, program: str | None) -> bool:
    return (folder / (program or "inference.py")).is_file()
