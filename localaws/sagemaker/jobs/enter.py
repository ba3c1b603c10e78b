"""
Runs first in new namespaces: makes a root of what :mod:`.sandbox` lists, and becomes the command.

    python -I -S enter.py COMMAND...

The list and the command's environment come in a variable: until the new root is there, nothing that a job's request
says may count (``LD_PRELOAD``), and a command line is for everybody to read. Only the standard library is at hand.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any, NoReturn

#: the variable.
PLAN = "LOCALAWS_ENTER"

_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC = 1, 2, 4, 8, 32, 4096, 16384
_ATTR_RDONLY_NOSUID = 1 | 2
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MNT_DETACH = 2
_CAPBSET_DROP, _SET_NO_NEW_PRIVS, _CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
#: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID: they reach no further than what is visible.
_KEPT_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7}
#: of /dev: those of every container, and of GPUs.
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_GPU_DEVICES = ("nvidia*", "dri", "kfd")
#: of /proc what would change the machine where the user is root.
_PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus")
#: This shell stays as the first process of the namespace: a program that is process 1 itself would not die of SIGTERM.
#: Only from the byte on does SIGTERM end the command, and standard input says so to who may have it as a pipe.
_FIRST = 'cd "$0" || exit 125; (echo >&0; exec "$@" < /dev/null); exit $?'

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> NoReturn:
    """Enter and become the command."""
    plan = json.loads(os.environ[PLAN])
    # What is only here is for every user here; the command gets back what it came with.
    umask = os.umask(0o022)
    _new_root()
    for path, target in plan["links"].items():
        Path(path).symlink_to(target)
    _proc(own=plan["own_proc"])
    _dev()
    for source, target, writable in plan["mounts"]:
        # /tmp is a folder of the host's by then: what is made there is for its owner alone.
        os.umask(0o077 if target.startswith("/tmp/") else 0o022)  # noqa: S108
        _bind(source, target, writable=writable)
    os.umask(0o022)
    for path in plan["folders"]:
        Path(path).mkdir(parents=True, exist_ok=True)
    _hosts(plan["hosts"])
    _call("umount2", b"/.old", _MNT_DETACH)
    Path("/.old").rmdir()
    _drop_rights()
    os.umask(umask)
    os.execve("/bin/sh", ["sh", "-c", _FIRST, plan["cwd"], *sys.argv[1:]], plan["environment"])  # noqa: S606


def _new_root() -> None:
    """Make an empty root. The old one is at ``/.old``, and nothing covers its ``/tmp``."""
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, "mode=755")  # noqa: S108 - a place to mount at
    os.chdir("/tmp")  # noqa: S108
    Path(".old").mkdir()
    number = _PIVOT_ROOT.get(platform.machine())
    if number is None:
        sys.exit(f"pivot_root is not known for {platform.machine()}")
    _call("syscall", number, b".", b".old")
    os.chdir("/")


def _proc(*, own: bool) -> None:
    Path("/proc").mkdir()
    if own:
        _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    else:
        _mount("/.old/proc", "/proc", "", _BIND | _REC)
    for name in _PROC_READ_ONLY:
        if (path := Path("/proc", name)).exists():
            _mount(str(path), str(path), "", _BIND | _REC)
            _read_only(str(path))


def _dev() -> None:
    Path("/dev/shm").mkdir(parents=True)  # noqa: S108
    _mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777")  # noqa: S108
    Path("/dev/pts").mkdir()
    _mount("devpts", "/dev/pts", "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    Path("/dev/ptmx").symlink_to("pts/ptmx")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        Path("/dev", name).symlink_to(f"/proc/self/fd/{number}")
    Path("/dev/fd").symlink_to("/proc/self/fd")
    old = Path("/.old/dev")
    for path in [*(old / name for name in _DEVICES), *(path for name in _GPU_DEVICES for path in old.glob(name))]:
        if path.exists():
            _attach(path, f"/dev/{path.name}")


def _bind(source: str, target: str, *, writable: bool) -> None:
    """Mount what is at ``source`` in the old root; an empty ``source`` hides what is at the target."""
    if not source:
        _hide(Path(target))
        return
    _attach(Path(f"/.old{source}"), target)
    if not writable:
        _read_only(target)


def _attach(source: Path, target: str) -> None:
    place = Path(target)
    if source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    elif not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    _mount(str(source), target, "", _BIND | _REC)


def _hide(path: Path) -> None:
    if path.is_dir():
        _mount("tmpfs", str(path), "tmpfs", _NOSUID | _NODEV, "mode=755")
    elif path.exists():
        _mount("/dev/null", str(path), "", _BIND)


def _read_only(target: str) -> None:
    attributes = (ctypes.c_uint64 * 4)(_ATTR_RDONLY_NOSUID, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    path = os.fsencode(target)
    if _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, ctypes.byref(attributes), size) == 0:
        return
    if ctypes.get_errno() != errno.ENOSYS:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)
    # Before Linux 5.12: not what is mounted below, and the flags that are there have to stay.
    kept = os.statvfs(target).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    _mount("none", target, "", _BIND | _REMOUNT | _RDONLY | kept)


def _hosts(names: str) -> None:
    if names:
        path = Path("/run/hosts")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"127.0.0.1 localhost {names}\n{Path('/etc/hosts').read_text()}")
        _mount(str(path), "/etc/hosts", "", _BIND)


def _drop_rights() -> None:
    """Drop what root of the machine, or of a user namespace, would need to get out of here."""
    _call("prctl", _CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in set(range(last + 1)) - _KEPT_CAPABILITIES:
        _call("prctl", _CAPBSET_DROP, capability, 0, 0, 0)
    _call("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    words = [os.fsencode(word) or None for word in (source, target, kind, data)]
    _call("mount", *words[:3], ctypes.c_ulong(flags), words[3])


def _call(name: str, *arguments: Any) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", str(arguments))


if __name__ == "__main__":
    try:
        main()
    except OSError as refused:
        sys.exit(f"[localaws] the sandbox cannot be entered: {refused}")
