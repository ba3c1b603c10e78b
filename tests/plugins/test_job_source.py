"""The code of a job has an address made of its content."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from amazon_ml import code_bundle as module
from amazon_ml.code_bundle import SourceFolder


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


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What several jobs have: a module, and a folder of them."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "figures.py").write_text("FIGURES = 1")
    (folder / "text" / "__pycache__").mkdir(parents=True)
    (folder / "text" / "words.py").write_text("WORDS = 1")
    (folder / "text" / "__pycache__" / "words.pyc").write_bytes(b"x")
    return folder


def test_dependencies_are_beside_the_entry_point(folder: Path, shared: Path) -> None:
    code = SourceFolder.read(folder, "train.py", [shared / "figures.py", shared / "text"])
    assert sorted(code.files) == ["figures.py", "lib/model.py", "text/words.py", "train.py"]
    assert code.files["figures.py"] == b"FIGURES = 1"


def test_the_digest_is_of_the_dependencies_too(folder: Path, shared: Path) -> None:
    alone = SourceFolder.read(folder, "train.py")
    code = SourceFolder.read(folder, "train.py", [shared / "text", shared / "figures.py"])
    (shared / "text" / "words.py").write_text("WORDS = 2")
    changed = SourceFolder.read(folder, "train.py", [shared / "text", shared / "figures.py"])
    assert len({alone.digest, code.digest, changed.digest}) == 3


def test_a_dependency_is_as_good_as_a_file_of_the_folder(folder: Path, shared: Path) -> None:
    code = SourceFolder.read(folder, "train.py", [shared / "figures.py", shared / "text"])
    assert SourceFolder.read(folder, "train.py", [shared / "text", shared / "figures.py"]).tarball() == code.tarball()
    shutil.copyfile(shared / "figures.py", folder / "figures.py")
    copied = SourceFolder.read(folder, "train.py", [shared / "text"])
    assert (copied.digest, copied.tarball()) == (code.digest, code.tarball())


def test_a_name_that_is_there_twice_is_refused(folder: Path, shared: Path) -> None:
    (shared / "lib").mkdir()
    for dependencies, name in [
        ([shared / "figures.py", shared / "figures.py"], "figures.py"),
        ([shared / "lib"], "lib"),
        ([shared / "text", folder / "train.py"], "train.py"),
    ]:
        with pytest.raises(ValueError, match=rf"^dependency .*{name}: {name} is in .* too$"):
            SourceFolder.read(folder, "train.py", dependencies)


@pytest.mark.parametrize("name", ["nowhere.py", "..", "text/.."])
def test_a_dependency_that_is_not_there_is_refused(folder: Path, shared: Path, name: str) -> None:
    with pytest.raises(ValueError, match="dependency is neither a file nor a folder"):
        SourceFolder.read(folder, "train.py", [shared / name])


def test_data_among_the_dependencies_is_refused(folder: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 25)
    SourceFolder.read(folder, "train.py")
    with pytest.raises(ValueError, match="more than"):
        SourceFolder.read(folder, "train.py", [shared / "figures.py"])
