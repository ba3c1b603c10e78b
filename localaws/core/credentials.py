"""
The keys of this local account, in files that only their owner can read.

The root's are made at first start. Each job and model server gets a key of its own, which ends with it: a program that
is handed to localaws never sees the root's secret.
"""

from __future__ import annotations

import configparser
import os
import re
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

_ALPHABET = string.ascii_uppercase + string.digits
_JOB_KEY = re.compile(r"LJKA[A-Z0-9]{16}")


@dataclass(frozen=True)
class Credentials:
    """An access key and its secret; the secret never shows in a repr."""

    access_key: str
    secret_key: str = field(repr=False)


def load_or_create(path: Path) -> Credentials:
    """
    Read the root's keys at ``path``, or make them.

    :raises KeyError: the file exists and has no default profile with both keys.
    """
    if not path.exists():
        # The account's number is not encoded in our key: moto answers its default account for keys it does not know.
        _create(path, _new("LKIA"))
    return load(path)


def load(path: Path) -> Credentials:
    """
    Read the keys at ``path``, an AWS shared-credentials file.

    :raises KeyError: it is not there, or has no default profile with both keys.
    """
    parser = configparser.ConfigParser()
    parser.read(path)
    profile = parser["default"]
    return Credentials(profile["aws_access_key_id"], profile["aws_secret_access_key"])


def issue(home: Path, to: Path) -> None:
    """
    Make a key and write it to a shared-credentials file, unless that is there.

    The key is good until it is revoked or the file is gone.

    :param home: ``ctx.home``.
    """
    if to.exists():
        return
    made = _new("LJKA")
    keys = home / "keys"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(keys / made.access_key, f"{made.secret_key}\n{to}")
    _create(to, made)


def revoke(home: Path, file: Path) -> None:
    """End the key in a file that :func:`issue` wrote, if there is one."""
    if file.exists():
        (home / "keys" / load(file).access_key).unlink(missing_ok=True)


def issued(home: Path, access_key: str) -> str | None:
    """Return the secret of a job's key, or ``None`` where it is not good (any more)."""
    if _JOB_KEY.fullmatch(access_key) is None:
        return None
    path = home / "keys" / access_key
    try:
        secret, _, file = path.read_text().partition("\n")
    except FileNotFoundError:
        return None
    if not Path(file).exists():
        # The folder of its job or model server was removed without more ado.
        path.unlink(missing_ok=True)
        return None
    return secret


def _new(prefix: str) -> Credentials:
    return Credentials(prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16)), secrets.token_urlsafe(30))


def _create(path: Path, made: Credentials) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"[default]\naws_access_key_id = {made.access_key}\naws_secret_access_key = {made.secret_key}\n"
    _write(path, text)


def _write(path: Path, text: str) -> None:
    # O_EXCL: of two servers started at once, one makes the file and the other reads it.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
