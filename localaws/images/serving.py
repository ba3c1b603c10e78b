"""
The model server that runs in an endpoint's container: one process, which loads the model and answers over HTTP.

It speaks the container's side of SageMaker's hosting contract, on a Unix socket in place of port 8080:

* ``GET /ping``: 200 once the model is loaded, 503 before.
* ``POST /invocations``: the request's body, ``Content-Type`` and ``Accept`` go through the functions of
  ``code/inference.py`` (:mod:`.inference`), each request in a thread of its own.

The process ends by itself where nobody has pinged it for a while, so that a host that died leaves none behind.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import re
import signal
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import FrameType
from typing import NoReturn

from localaws.core import own_code
from localaws.images.inference import Model, Reply, RequestContext, trace_of
from localaws.images.inference_defaults import InferenceError

#: the answer to a ping names the process, so that a restarted host knows its own.
WORKER_HEADER = "X-Localaws-Worker"


class ModelServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """
    Answers pings from the start, and invocations as soon as :attr:`model` is set.

    :param path: the socket to listen on.
    :param worker: the name that pings are answered with.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, path: Path, worker: str) -> None:
        # A process of the same name that was killed leaves its socket behind.
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Handler)
        self.worker = worker
        self.model: Model | None = None
        self.last_ping = time.monotonic()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer leaves in one piece
    server: ModelServer

    def do_GET(self) -> None:
        """Health."""
        if self.path != "/ping":
            self._answer(Reply(404, b"Not Found", "text/plain"))
            return
        self.server.last_ping = time.monotonic()
        self._answer(Reply(200 if self.server.model else 503, b"", "text/plain"))

    def do_POST(self) -> None:
        """Answer an inference request."""
        body = self._body()
        if body is None:
            self.close_connection = True
            self._answer(Reply(400, b"A body of one known length is wanted.", "text/plain"))
            return
        model = self.server.model
        if self.path != "/invocations":
            self._answer(Reply(404, b"Not Found", "text/plain"))
        elif model is None:
            self._answer(Reply(503, b"The model is still loading.", "text/plain"))
        else:
            context = RequestContext(model.directory, dict(self.headers.items()))
            self._answer(model.answer(body, context))

    def _body(self) -> bytes | None:
        """Return the body, or ``None`` if it has no single length or ends before it."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or len(lengths) != 1 or not re.fullmatch("[0-9]{1,10}", lengths[0]):
            return None
        body = self.rfile.read(int(lengths[0]))
        return body if len(body) == int(lengths[0]) else None

    def _answer(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header(WORKER_HEADER, self.server.worker)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the container's log belongs to the model."""


def _end_when_forgotten(server: ModelServer, socket_path: Path, silence: float) -> None:
    """End the process once nobody has pinged for ``silence`` seconds: its host is gone."""
    while (left := server.last_ping + silence - time.monotonic()) > 0:
        time.sleep(left)
    print(f"No health check for {silence:g} s: the host is gone, and so is this model server.", flush=True)
    socket_path.unlink(missing_ok=True)
    # Its children, if a model started any, are in its process group.
    with suppress(ProcessLookupError):
        os.killpg(0, signal.SIGTERM)
    os._exit(0)


def framework(image: str) -> str:
    """Whose toolkit serves in an image: ``pytorch``, ``huggingface`` or ``scikit-learn``, by its repository's name."""
    if image.startswith("huggingface"):
        return "huggingface"
    return "scikit-learn" if "scikit-learn" in image else "pytorch"


def _hide_localaws() -> None:
    """
    Take the checkout off the import path: a model's code sees what it would see in the container.

    An installed localaws stays, since its folder has the model's packages too.
    """
    hidden = {"", "" if own_code.installed() else str(own_code.ROOT)}
    sys.path[:] = [entry for entry in sys.path if entry not in hidden]
    kept = [entry for entry in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if entry not in hidden]
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the model of one SageMaker container")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--image", required=True, help="the repository of the image that this stands for")
    parser.add_argument("--base", type=Path, default=Path("/opt/ml"), help="the folder that holds model/ and code/")
    parser.add_argument("--silence", type=float, default=20.0, help="seconds without a ping after which to end")
    return parser.parse_args()


def load_by_framework(base: Path, image: str) -> Model:
    """Load the model of an image with an inference toolkit: PyTorch, Hugging Face, scikit-learn."""
    return Model.load(base, framework(image))


def main(load: Callable[[Path, str], Model] = load_by_framework) -> int:
    """
    Load the model and serve it until SIGTERM; 1, and the reason on stderr, where it does not load.

    :param load: makes the model, of ``/opt/ml`` and the image's repository name.
    """
    arguments = _arguments()
    _hide_localaws()
    faulthandler.enable()
    ending = threading.Event()
    server = ModelServer(arguments.socket, arguments.worker)

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()
        if server.model is None:
            # In the midst of loading: nothing is worth waiting for.
            arguments.socket.unlink(missing_ok=True)
            os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    threading.Thread(
        target=_end_when_forgotten, args=(server, arguments.socket, arguments.silence), name="watch", daemon=True
    ).start()
    try:
        server.model = load(arguments.base, arguments.image)
    except Exception as error:
        print(error if isinstance(error, InferenceError) else trace_of(error), file=sys.stderr)
        arguments.socket.unlink(missing_ok=True)
        return 1
    print("Model server started.", flush=True)
    # Not one wait without end: a signal that the system hands to another thread does not wake this one.
    while not ending.wait(0.5):
        pass
    arguments.socket.unlink(missing_ok=True)
    return 0


def run(load: Callable[[Path, str], Model] = load_by_framework) -> NoReturn:
    """Be the process: :func:`main`, and its status as the exit status."""
    status = main(load)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: threads of a model (a pool, a queue) that are not daemons would keep the process for ever.
    os._exit(status)


if __name__ == "__main__":
    run()
