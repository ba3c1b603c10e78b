"""The code of a job has an address made of its content."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from amazon_ml import source as module
from amazon_ml.source import SourceFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("print(1)")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "model.py").write_text("MODEL = 1")
    return tmp_path


def test_caches_and_hidden_files_stay_at_home(folder: Path) -> None:
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "train.cpython-311.pyc").write_bytes(b"x")
    (folder / ".env").write_text("SECRET=1")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    assert list(SourceFolder.read(folder, "train.py").files) == ["lib/model.py", "train.py"]


def test_the_digest_knows_content_and_names_and_nothing_else(folder: Path) -> None:
    before = SourceFolder.read(folder, "train.py").digest
    os.utime(folder / "train.py", (1, 1))
    (folder / "train.py").chmod(0o755)
    assert SourceFolder.read(folder, "train.py").digest == before
    (folder / "lib" / "model.py").rename(folder / "lib" / "model2.py")
    renamed = SourceFolder.read(folder, "train.py").digest
    assert renamed != before
    (folder / "train.py").write_text("print(2)")
    assert SourceFolder.read(folder, "train.py").digest not in {before, renamed}


def test_the_archive_is_the_same_bytes_each_time_and_unpacks(folder: Path) -> None:
    packed = SourceFolder.read(folder, "train.py").tarball()
    os.utime(folder / "train.py", (1, 1))
    assert SourceFolder.read(folder, "train.py").tarball() == packed
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getnames() == ["lib/model.py", "train.py"]
        member = tar.extractfile("train.py")
        assert member is not None
        assert member.read() == b"print(1)"


def test_what_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"has no evaluate\.py"):
        SourceFolder.read(folder, "evaluate.py")
    with pytest.raises(ValueError, match="not a folder"):
        SourceFolder.read(folder / "nowhere", "train.py")


def test_data_among_the_code_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="more than"):
        SourceFolder.read(folder, "train.py")
