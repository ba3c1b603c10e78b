"""
How a process gets an ``/opt/ml`` of its own, as in a container, and sees next to nothing else.

On Linux each process runs in private namespaces (``unshare``) with a root of its own (:mod:`.enter`): its
folder is ``/opt/ml``; the system, the Python environment and localaws's own code are there read-only; ``/tmp`` and the
home directory are its own and empty; other processes, other jobs and the state of localaws are not there at all. When
it is killed all its descendants die with it.

Where namespaces are refused (macOS, a container without rights) ``/opt/ml`` is replaced by the folder's real path in
arguments, environment, configuration and sources, :attr:`Launch.note` says so, and the process sees what its user sees.

The network is the machine's: jobs reach AWS on loopback.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localaws.core import own_code
from localaws.sagemaker.jobs.enter import PLAN

ML_ROOT = "/opt/ml"
#: what a server has found out about namespaces, for the supervisors that it starts: to try again takes them 0.1 s.
PROBED = "LOCALAWS_SANDBOX_PROBED"

# What runs inside the new namespaces.
_ENTER = Path(__file__).with_name("enter.py")
_CODE = own_code.ROOT / "localaws"

_AS_USER = ["--user", "--map-root-user"]
_WHOLE = ["--mount", "--pid", "--fork", "--kill-child", "--ipc"]
_MOUNT_ONLY = ["--mount"]

# A path of its own or after "file://", and not the beginning of a longer name such as /opt/mlflow.
_ML_PATH = re.compile(r"(?:(?<![\w./:-])|(?<=file://))/opt/ml(?![\w.-])")
_SOURCES = {".py", ".sh", ".json", ".yaml", ".yml", ".cfg", ".ini", ".toml"}

#: what of the root is the system.
_SYSTEM = ("bin", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "sbin", "sys", "usr")
#: what of /etc root alone may read: a job of root's would.
_SECRETS = ("gshadow", "gshadow-", "shadow", "shadow-", "ssh", "ssl/private", "sudoers", "sudoers.d")
#: what stays in a process's environment outside of its sandbox: by these it is found, and ended.
_MARKS = ("LOCALAWS_HOME", "LOCALAWS_JOB")


@dataclass(frozen=True)
class Mount:
    """
    A file or folder that the process sees beside its ``/opt/ml``.

    :param source: where it is; what is not there is left out.
    :param target: where the process sees it; in the same place unless given.
    """

    source: Path
    target: str = ""
    writable: bool = False


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
    mounts: Sequence[Mount] = (),
    hidden: Sequence[Path] = (),
    die_with_parent: bool = True,
) -> Launch:
    """
    Prepare a command to run with ``ml_root`` as its ``/opt/ml``.

    :param hosts: names that are to resolve to 127.0.0.1.
    :param cwd: the working directory as the process sees it, such as ``/opt/ml/code``.
    :param mounts: what it sees beside the system and the Python environment.
    :param hidden: what it does not see, wherever it lies.
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
            f"{ML_ROOT} is {real} here, and is written so in arguments, environment and files: {refusal}",
        )
    plan = {
        "links": _links(),
        "own_proc": "--pid" in options,
        "mounts": _outer_first([*_fixed(tuple(hidden)), *_given([Mount(ml_root, ML_ROOT, writable=True), *mounts])]),
        "folders": ["/run", "/tmp", "/var/tmp", environment.get("HOME", "/root")],  # noqa: S108 - in a root of its own
        # The machine's own name too: programs that listen on it listen on loopback.
        "hosts": " ".join([*hosts, socket.gethostname()]),
        "cwd": cwd,
        "environment": dict(environment),
    }
    marks = {key: environment[key] for key in _MARKS if key in environment}
    outside = {"PATH": os.environ.get("PATH", os.defpath), **marks, PLAN: json.dumps(plan)}
    return Launch([*leash, *_enter(options), *argv], outside, ML_ROOT, "")


def _enter(options: Sequence[str]) -> list[str]:
    return [shutil.which("unshare") or "unshare", *options, sys.executable, "-I", "-S", str(_ENTER)]


@functools.cache
def _links() -> dict[str, str]:
    """Of the system's folders those that are links, such as /bin to usr/bin."""
    return {f"/{name}": os.readlink(f"/{name}") for name in _SYSTEM if os.path.islink(f"/{name}")}  # noqa: PTH114, PTH115


@functools.cache
def _fixed(hidden: tuple[Path, ...]) -> list[tuple[str, str, bool]]:
    """Return what every process sees as (source, target, writable). An empty source hides the target."""
    shown: list[Path] = []
    for path in sorted(set(_visible()), key=lambda path: len(path.parts)):
        if path.exists() and not any(path.is_relative_to(parent) for parent in shown):
            shown.append(path)
    secrets = [Path("/etc", name) for name in _SECRETS] if os.geteuid() == 0 else []
    covered = {
        path
        for given in (*hidden, *secrets)
        for path in (given.absolute(), given.resolve())
        if path.exists() and any(path.is_relative_to(parent) for parent in shown)
    }
    readable = [(os.path.realpath(path), str(path), False) for path in shown]
    return [*readable, *(("", str(path), False) for path in covered)]


def _outer_first(mounts: list[tuple[str, str, bool]]) -> list[tuple[str, str, bool]]:
    """Sort mounts so that none covers an earlier one below it."""
    return sorted(mounts, key=lambda mount: len(Path(mount[1]).parts))


def _visible() -> Iterator[Path]:
    """Yield the system, the Python environment and localaws's code, by the given paths and by the real ones."""
    yield from (Path("/", name) for name in _SYSTEM if not Path("/", name).is_symlink())
    yield from (path for path in Path("/opt").glob("*") if path.name != "ml")
    yield Path(os.path.realpath("/etc/resolv.conf"))
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    given = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, str(_CODE), *sys.path, *libraries]
    given.append(os.environ.get("SSL_CERT_FILE", ""))
    # From one link to the next: that is how Python finds its home.
    interpreter = Path(sys.executable)
    while interpreter.is_symlink():
        interpreter = interpreter.parent / interpreter.readlink()
        given.append(str(interpreter.parent))
    for path in map(Path, filter(None, given)):
        # A checkout has the state of localaws in it, and much more.
        has_localaws = _CODE.is_relative_to(path) and path != _CODE
        if path.is_absolute() and (not has_localaws or own_code.is_the_interpreters(path)):
            yield path
            yield path.resolve()


def _given(mounts: Sequence[Mount]) -> list[tuple[str, str, bool]]:
    return [
        (str(mount.source.resolve()), mount.target or str(mount.source), mount.writable)
        for mount in mounts
        if mount.source.exists()
    ]


def probed() -> dict[str, str]:
    """Return the variable that tells a child process what :func:`isolated` answers here."""
    return {PROBED: json.dumps(_isolation())}


def isolated() -> bool:
    """Return True if processes get a real, private ``/opt/ml``."""
    return _isolation()[0] is not None


def has_process_namespace() -> bool:
    """Return True if killing what :func:`launch` starts kills all its descendants too."""
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


def _in_folder(cwd: str) -> list[str]:
    return ["sh", "-c", 'cd "$0" && echo >&0; exec "$@" < /dev/null', cwd]


@functools.cache
def _leash() -> list[str]:
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "KILL"] if program else []


@functools.cache
def _isolation() -> tuple[list[str] | None, str]:
    """Find out which options of ``unshare`` work here; return them, or ``None`` and why none do."""
    if os.environ.get("LOCALAWS_SANDBOX") == "rewrite":
        return None, "LOCALAWS_SANDBOX=rewrite asks for it"
    if probed := os.environ.get(PROBED):
        options, refusal = json.loads(probed)
        return options, refusal
    if not shutil.which("unshare"):
        return None, "there is no unshare here, which gives a process namespaces of its own"
    # root of a container has, as a rule, no right to namespaces either, but for those below a user namespace.
    users = ([], _AS_USER) if os.geteuid() == 0 else (_AS_USER,)
    refusal = ""
    with tempfile.TemporaryDirectory(prefix="localaws-") as folder:
        for options in [[*user, *kind] for kind in (_WHOLE, _MOUNT_ONLY) for user in users]:
            plan = {
                "links": _links(),
                "own_proc": "--pid" in options,
                "mounts": _outer_first([*_fixed(()), (os.path.realpath(folder), ML_ROOT, True)]),
                "folders": [],
                "hosts": "localhost",
                "cwd": ML_ROOT,
                "environment": {},
            }
            probe = subprocess.run(
                [*_enter(options), "true"],
                env={"PATH": os.environ.get("PATH", os.defpath), PLAN: json.dumps(plan)},
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
