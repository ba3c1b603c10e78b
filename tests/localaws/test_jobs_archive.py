"""Archives: what is refused, and that equal content gives equal bytes."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from localaws.jobs.archive import ArchiveError, extract, pack


def _archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def _file(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), b"content"


def _special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


@pytest.mark.parametrize(
    ("member", "complaint"),
    [
        (_file("../evil"), "'../evil' would be written outside"),
        (_file("a/../../evil"), "would be written outside"),
        (_file("/etc/evil"), "'/etc/evil' would be written outside"),
        (_special("link", tarfile.SYMTYPE, "/etc/passwd"), "the link 'link' leads outside, to '/etc/passwd'"),
        (_special("a/link", tarfile.SYMTYPE, "../../x"), "leads outside"),
        (_special("hard", tarfile.LNKTYPE, "../x"), "leads outside"),
        (_special("null", tarfile.CHRTYPE), "'null' is a device or a pipe"),
        (_special("pipe", tarfile.FIFOTYPE), "'pipe' is a device or a pipe"),
    ],
)
def test_a_member_that_is_not_to_be_trusted_is_refused_by_name_and_nothing_is_written(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes], complaint: str
) -> None:
    archive = _archive(tmp_path / "model.tar.gz", _file("good"), member)
    with pytest.raises(ArchiveError, match=complaint):
        extract(archive, tmp_path / "inner" / "into")
    assert list((tmp_path / "inner" / "into").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner", "model.tar.gz"]


def test_a_file_through_a_link_that_came_before_it_stays_inside(tmp_path: Path) -> None:
    archive = _archive(
        tmp_path / "x.tar.gz",
        _special("a", tarfile.SYMTYPE, "."),
        _special("a/b", tarfile.SYMTYPE, ".."),
        _file("b/evil"),
    )
    with pytest.raises(ArchiveError):
        extract(archive, tmp_path / "into")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"model\.tar\.gz"):
        extract(tmp_path / "model.tar.gz", tmp_path / "into")


@pytest.mark.parametrize("size", [50_000, -4, -8])
def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "weights").write_bytes(os.urandom(100_000))
    pack(folder, tmp_path / "whole.tar.gz")
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "whole.tar.gz").read_bytes()[:size])
    with pytest.raises(ArchiveError, match="not a whole tar archive"):
        extract(tmp_path / "cut.tar.gz", tmp_path / "into")


def test_what_is_packed_comes_out_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "weights").write_bytes(b"\x00\x01")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("deep/er/weights")
    pack(folder, tmp_path / "a.tar.gz")
    extract(tmp_path / "a.tar.gz", tmp_path / "into")
    assert (tmp_path / "into" / "deep" / "er" / "weights").read_bytes() == b"\x00\x01"
    assert (tmp_path / "into" / "link").read_bytes() == b"\x00\x01"
    assert os.access(tmp_path / "into" / "run.sh", os.X_OK)


def test_equal_content_gives_equal_bytes_whatever_the_times(tmp_path: Path) -> None:
    for name, moment in (("one", 1_000_000_000), ("two", 1_700_000_000)):
        (tmp_path / name).mkdir()
        for file in ("b", "a"):
            (tmp_path / name / file).write_text(file)
            os.utime(tmp_path / name / file, (moment, moment))
        pack(tmp_path / name, tmp_path / f"{name}.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_the_files_of_several_hosts_come_together_and_the_first_host_wins(tmp_path: Path) -> None:
    for host in ("algo-1", "algo-2"):
        (tmp_path / host).mkdir()
        (tmp_path / host / "same").write_text(host)
        (tmp_path / host / f"of-{host}").write_text(host)
    pack([tmp_path / "algo-1", tmp_path / "algo-2"], tmp_path / "x.tar.gz")
    extract(tmp_path / "x.tar.gz", tmp_path / "into")
    found = {path.name: path.read_text() for path in (tmp_path / "into").iterdir()}
    assert found == {"same": "algo-1", "of-algo-1": "algo-1", "of-algo-2": "algo-2"}


def test_a_link_to_nothing_is_not_packed_in_silence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "gone").symlink_to("/nowhere/at/all")
    with pytest.raises(ArchiveError, match="gone is a link to '/nowhere/at/all'"):
        pack(tmp_path / "folder", tmp_path / "x.tar.gz")
    assert not (tmp_path / "x.tar.gz").exists()


def test_of_a_link_to_a_file_outside_the_content_is_packed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "weights").write_text("weights")
    (tmp_path / "folder" / "model").symlink_to(tmp_path / "weights")
    pack(tmp_path / "folder", tmp_path / "x.tar.gz")
    extract(tmp_path / "x.tar.gz", tmp_path / "into")
    assert not (tmp_path / "into" / "model").is_symlink()
    assert (tmp_path / "into" / "model").read_text() == "weights"
