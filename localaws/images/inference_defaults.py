"""The functions that serve a model whose ``inference.py`` leaves them out: the defaults of SageMaker's toolkits."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
NPY = "application/x-npy"
ANY = "*/*"
#: bodies of these types are given to the functions as text.
TEXT = (JSON, CSV)

#: the end of an architecture's name in config.json -> the pipeline that serves it.
_TASKS = {
    "ForTokenClassification": "token-classification",
    "ForSequenceClassification": "text-classification",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForImageClassification": "image-classification",
}


class InferenceError(Exception):
    """
    A failure with a message for the caller and no need of a traceback.

    :param status: the HTTP status that the container answers.
    """

    def __init__(self, message: str, *, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


def functions(framework: str) -> dict[str, Callable[..., Any]]:
    """Return the default functions of a container: ``pytorch``, ``huggingface`` or ``scikit-learn``."""
    encoding = {"input_fn": _decode, "output_fn": _encode}
    if framework == "pytorch":
        return {**encoding, "model_fn": _load_torch, "input_fn": _decode_tensor, "predict_fn": _call_torch}
    if framework == "huggingface":
        return {**encoding, "model_fn": _load_pipeline, "input_fn": _decode_inputs, "predict_fn": _call_pipeline}
    return {**encoding, "model_fn": _load_nothing, "predict_fn": lambda data, model: model.predict(data)}


def media_type(header: str) -> str:
    """``application/json; charset=utf-8`` -> ``application/json``."""
    return header.partition(";")[0].strip().lower()


def _decode(body: str | bytes, content_type: str) -> Any:
    """Decode the body into a NumPy array."""
    import numpy as np

    kind = media_type(content_type)
    if kind == JSON:
        return np.array(json.loads(body))
    if kind == JSON_LINES:
        return np.array([json.loads(line) for line in body.splitlines() if line.strip()])
    if kind == CSV:
        return np.genfromtxt(io.StringIO(str(body)), delimiter=",")
    if kind == NPY and isinstance(body, bytes):
        # Unpickling what a request brings would run its code: object arrays are refused.
        return np.load(io.BytesIO(body), allow_pickle=False)
    raise InferenceError(
        f"content type {content_type} is not supported: give {JSON}, {JSON_LINES}, {CSV} or {NPY}", status=415
    )


def _encode(prediction: Any, accept: str) -> bytes:
    """Encode the prediction in the first of the accepted types that is known."""
    import numpy as np

    if hasattr(prediction, "detach"):
        prediction = prediction.detach().cpu().numpy()
    for kind in (media_type(part) for part in accept.split(",")):
        if kind in (JSON, ANY):
            return json.dumps(prediction, default=_plain).encode()
        if kind == JSON_LINES:
            return "".join(json.dumps(row, default=_plain) + "\n" for row in prediction).encode()
        if kind == CSV:
            text = io.StringIO()
            np.savetxt(text, np.atleast_1d(np.asarray(prediction)), delimiter=",", fmt="%s")
            return text.getvalue().encode()
        if kind == NPY:
            array = io.BytesIO()
            np.save(array, np.asarray(prediction), allow_pickle=False)
            return array.getvalue()
    raise InferenceError(f"cannot answer in {accept}: accept {JSON}, {JSON_LINES}, {CSV} or {NPY}", status=406)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _load_nothing(model_dir: str) -> Any:
    raise InferenceError("code/inference.py must be in the model archive and define model_fn(model_dir)")


def _load_torch(model_dir: str) -> Any:
    """Load a TorchScript model, ``model.pt`` or the only ``.pt`` or ``.pth`` file."""
    files = sorted(path for path in Path(model_dir).glob("*") if path.suffix in (".pt", ".pth"))
    chosen = [path for path in files if path.name == "model.pt"] or files
    if len(chosen) != 1:
        raise InferenceError(
            "no model_fn: the model archive must have code/inference.py with a model_fn, or one TorchScript file"
            f" (.pt or .pth) at its top; it has {', '.join(path.name for path in files) or 'neither'}"
        )
    import torch

    return torch.jit.load(str(chosen[0]), map_location="cpu").eval()  # type: ignore[no-untyped-call]


def _decode_tensor(body: str | bytes, content_type: str) -> Any:
    import torch

    array = _decode(body, content_type)
    return torch.from_numpy(array) if media_type(content_type) == NPY else torch.tensor(array, dtype=torch.float32)


def _call_torch(data: Any, model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(data)


def _load_pipeline(model_dir: str) -> Any:
    """Load a Transformers pipeline for HF_TASK, or for the task of the architecture in config.json."""
    config = Path(model_dir, "config.json")
    hub_model = os.environ.get("HF_MODEL_ID")
    task = os.environ.get("HF_TASK") or _task_of(config)
    if task is None or not (hub_model or config.exists()):
        raise InferenceError(
            "no model_fn: the model archive must have code/inference.py with a model_fn, or a config.json of a known"
            " architecture at its top; or set HF_TASK and HF_MODEL_ID"
        )
    from transformers import pipeline

    return pipeline(task=task, model=model_dir if config.exists() else hub_model)  # type: ignore[call-overload]


def _task_of(config: Path) -> str | None:
    if not config.exists():
        return None
    architectures = json.loads(config.read_text()).get("architectures") or [""]
    return next((task for ending, task in _TASKS.items() if architectures[0].endswith(ending)), None)


def _decode_inputs(body: str | bytes, content_type: str) -> Any:
    """Decode the body into the arguments of a pipeline, ``{"inputs": ..., "parameters": {...}}``."""
    kind = media_type(content_type)
    if kind == JSON:
        return json.loads(body)
    if kind == JSON_LINES:
        return {"inputs": [json.loads(line)["inputs"] for line in body.splitlines() if line.strip()]}
    if kind == CSV:
        rows = list(csv.DictReader(io.StringIO(str(body))))
        if not rows or "inputs" not in rows[0]:
            raise InferenceError("the CSV must have a header with a column named inputs", status=400)
        return {"inputs": [row["inputs"] for row in rows]}
    raise InferenceError(
        f"content type {content_type} is not supported: give {JSON}, {JSON_LINES} or {CSV}", status=415
    )


def _call_pipeline(data: Any, model: Any) -> Any:
    if not isinstance(data, dict):
        return model(data)
    parameters = data.get("parameters") or {}
    return model(data.get("inputs", data), **parameters)
