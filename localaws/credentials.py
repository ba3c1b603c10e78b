"""The root keys of this local account: made at first start, kept in a file only its owner can read."""

from __future__ import annotations

import configparser
import os
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Credentials:
    """An access key and its secret; the secret never shows in a repr."""

    access_key: str
    secret_key: str = field(repr=False)


def load_or_create(path: Path) -> Credentials:
    """
    Read the keys at ``path``, an AWS shared-credentials file (mode 0600), or make them.

    :raises KeyError: the file exists and has no default profile with both keys.
    """
    if not path.exists():
        _create(path)
    parser = configparser.ConfigParser()
    parser.read(path)
    profile = parser["default"]
    return Credentials(profile["aws_access_key_id"], profile["aws_secret_access_key"])


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    alphabet = string.ascii_uppercase + string.digits
    # The account's number is not encoded in our key: moto answers its default account for keys it does not know.
    access_key = "LKIA" + "".join(secrets.choice(alphabet) for _ in range(16))
    text = f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secrets.token_urlsafe(30)}\n"
    # O_EXCL: of two servers started at once, one makes the file and the other reads it.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
