"""
How a process gets an ``/opt/ml`` of its own, as in a container.

On Linux each process runs in private mount and process namespaces (``unshare``): its folder is bound at ``/opt/ml``,
``/etc/hosts`` knows its fellow hosts, and when it is killed all its descendants die with it. Nothing is created under
the host's ``/opt``. Where namespaces are refused (macOS, an unprivileged container) ``/opt/ml`` is replaced by the
folder's real path in arguments, environment, configuration and sources, and :attr:`Launch.note` says so.

This separates jobs from one another; it is no defence against hostile code, which runs with the user's own rights.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ML_ROOT = "/opt/ml"

# What runs inside the new namespaces.
_ENTER = Path(__file__).with_name("enter.sh")

_AS_USER = ["--user", "--map-root-user"]
_WHOLE = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
_MOUNT_ONLY = ["--mount"]

# A path of its own or after "file://", and not the beginning of a longer name such as /opt/mlflow.
_ML_PATH = re.compile(r"(?:(?<![\w./:-])|(?<=file://))/opt/ml(?![\w.-])")
_SOURCES = {".py", ".sh", ".json", ".yaml", ".yml", ".cfg", ".ini", ".toml"}


@dataclass(frozen=True)
class Launch:
    """
    What to give to ``subprocess.Popen``, with a standard input that can be written to: ``DEVNULL``, or a pipe's writing
    end, which gets a byte when the process itself begins, after which SIGTERM reaches it. The process reads nothing.

    :param argv: the command line.
    :param environment: the whole environment.
    :param ml_root: where the process finds its ``/opt/ml``.
    :param note: a line for the log where ``/opt/ml`` had to be rewritten, else empty.
    """

    argv: list[str]
    environment: dict[str, str]
    ml_root: str
    note: str


def launch(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    ml_root: Path,
    hosts: Sequence[str] = (),
    cwd: str = "/",
    die_with_parent: bool = True,
) -> Launch:
    """
    Prepare a command to run with ``ml_root`` as its ``/opt/ml``.

    :param hosts: names that are to resolve to 127.0.0.1.
    :param cwd: the working directory as the process sees it, such as ``/opt/ml/code``.
    :param die_with_parent: SIGKILL for the process when the *thread* that started it ends, which is how Linux has it:
        leave it out where that thread lives shorter than the process should.
    """
    options, refusal = _isolation()
    leash = _leash() if die_with_parent else []
    if options is None:
        real = str(ml_root)
        return Launch(
            [*leash, *_in_folder(rewrite(cwd, ml_root)), *(rewrite(argument, ml_root) for argument in argv)],
            {key: rewrite(value, ml_root) for key, value in environment.items()},
            real,
            f"{ML_ROOT} is {real} here, and stands so in arguments, environment and files: {refusal}",
        )
    return Launch([*leash, *_enter(options, ml_root, hosts, cwd), *argv], dict(environment), ML_ROOT, "")


def isolated() -> bool:
    """Whether processes get a real, private ``/opt/ml``."""
    return _isolation()[0] is not None


def has_process_namespace() -> bool:
    """Whether killing what :func:`launch` starts is certain to kill all its descendants."""
    options = _isolation()[0]
    return options is not None and "--kill-child" in options


def rewrite(text: str, ml_root: Path) -> str:
    """``text`` with ``/opt/ml`` replaced by ``ml_root`` where it stands as a path; unchanged where it is real."""
    return text if isolated() else _ML_PATH.sub(lambda _: str(ml_root), text)


def rewrite_sources(folder: Path, ml_root: Path) -> None:
    """Do the same, in place, to the scripts and settings under ``folder``: a job's private copy of its code."""
    if isolated() or not folder.is_dir():
        return
    for path in folder.rglob("*"):
        if path.suffix in _SOURCES and path.is_file() and not path.is_symlink():
            before = path.read_bytes()
            after = _ML_PATH.sub(lambda _: str(ml_root), before.decode("utf-8", "surrogateescape"))
            if (encoded := after.encode("utf-8", "surrogateescape")) != before:
                path.write_bytes(encoded)


def _enter(options: Sequence[str], ml_root: Path, hosts: Sequence[str], cwd: str) -> list[str]:
    return ["unshare", *options, "sh", str(_ENTER), str(ml_root.resolve()), " ".join(hosts), cwd]


def _in_folder(cwd: str) -> list[str]:
    return ["sh", "-c", 'cd "$0" && echo >&0; exec "$@" < /dev/null', cwd]


@functools.cache
def _leash() -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


@functools.cache
def _isolation() -> tuple[list[str] | None, str]:
    """The options of ``unshare`` that work here, by trying; or ``None`` and why none do."""
    if os.environ.get("LOCALAWS_SANDBOX") == "rewrite":
        return None, "LOCALAWS_SANDBOX=rewrite asks for it"
    if not shutil.which("unshare"):
        return None, "there is no unshare here, which gives a process namespaces of its own"
    # root of a container has, as a rule, no right to namespaces either, but for those below a user namespace.
    users = ([], _AS_USER) if os.geteuid() == 0 else (_AS_USER,)
    refusal = ""
    with tempfile.TemporaryDirectory(prefix="localaws-") as folder:
        for options in [[*user, *kind] for kind in (_WHOLE, _MOUNT_ONLY) for user in users]:
            probe = subprocess.run(
                [*_enter(options, Path(folder), ["localhost"], "/opt/ml"), "true"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            if probe.returncode == 0:
                return options, ""
            refusal = probe.stderr.strip().splitlines()[-1] if probe.stderr.strip() else f"exit {probe.returncode}"
    return None, f"namespaces are refused here ({refusal})"
