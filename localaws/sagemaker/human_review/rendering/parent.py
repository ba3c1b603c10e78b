"""The server's end of the rendering process: starts it, asks it, ends it when it takes too long."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import localaws

#: Seconds until a process that neither answers nor ends is killed. Its processor time is limited far more.
WALL_SECONDS = 30.0

Answer = dict[str, Any]
Grant = Callable[[str], str]


class Lost(Exception):
    """The process ended before it had answered; the text says why."""


class _Died(Exception):
    """The process ended, and not because it took too long."""


class Renderer:
    """One rendering process, started when it is first needed. Safe for threads, which take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, source: str, content: str | None, grant: Grant) -> Answer:
        """
        Let a template be rendered.

        :param content: The task's input, JSON; ``None`` to have the template checked only.
        :param grant: What ``grant_read_access`` is to answer.
        :raises Lost: The template used more time or memory than it may.
        """
        with self._lock:
            try:
                return self._asked(source, content, grant)
            except _Died:
                # Somebody else ended it, such as a kernel short of memory: the template is not at fault.
                try:
                    return self._asked(source, content, grant)
                except _Died as error:
                    raise Lost(f"The template could not be rendered: its process ended with {error}.") from error

    def _asked(self, source: str, content: str | None, grant: Grant) -> Answer:
        process = self._running()
        late = threading.Event()
        timer = threading.Timer(WALL_SECONDS, _kill, (process, late))
        timer.start()
        try:
            return _talked(process, {"source": source, "input": content}, grant)
        except (OSError, EOFError) as error:
            self._bury(process)
            if late.is_set() or process.returncode == -signal.SIGPROF:
                raise Lost("The template takes too long to render.") from error
            raise _Died(process.returncode) from error
        except BaseException:
            # What the process still waits for would be taken for the next request's.
            self._bury(process)
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None:
                self._bury(self._process)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            root = str(Path(localaws.__file__).parent.parent)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "localaws.sagemaker.human_review.rendering.child"],
                cwd=root,
                # Templates see nothing of the environment; nothing of it is needed either.
                env={key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        return self._process

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        """End a process that is of no more use."""
        self._process = None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        # What was still to be written has no reader any more.
        return


def _talked(process: subprocess.Popen[bytes], request: Answer, grant: Grant) -> Answer:
    _write(process, request)
    while True:
        answer = _read(process)
        if "grant" not in answer:
            return answer
        _write(process, {"url": grant(answer["grant"])})


def _write(process: subprocess.Popen[bytes], message: Answer) -> None:
    if process.stdin is None:
        raise EOFError
    process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()


def _read(process: subprocess.Popen[bytes]) -> Answer:
    line = process.stdout.readline() if process.stdout is not None else b""
    if not line.endswith(b"\n"):
        raise EOFError
    answer: Answer = json.loads(line)
    return answer


#: The one of this server.
RENDERER = Renderer()
