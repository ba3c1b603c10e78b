"""Archives: what is refused, and that equal content gives equal bytes."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

import pytest

from localaws.core.archive import ArchiveError, extract
from localaws.core.beneath import LeadsOut, Tree
from localaws.core.packing import pack


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


def _paxed(key: str, value: str) -> tuple[tarfile.TarInfo, bytes]:
    member, content = _file("member")
    member.pax_headers = {key: value}
    return member, content


@pytest.mark.parametrize(
    ("member", "complaint"),
    [
        (_file("../evil"), "'../evil' would be written outside"),
        (_file("a/../../evil"), "would be written outside"),
        (_file("/etc/evil"), "'/etc/evil' would be written outside"),
        (_special("link", tarfile.SYMTYPE, "/etc/passwd"), "the link 'link' leads outside, to '/etc/passwd'"),
        (_special("a/link", tarfile.SYMTYPE, "../../x"), "leads outside"),
        (_special("hard", tarfile.LNKTYPE, "../x"), "leads outside"),
        (_special("hard", tarfile.LNKTYPE, "/etc/passwd"), "leads outside"),
        (_special("hard", tarfile.LNKTYPE, "hard"), "leads outside"),
        (_special("hard", tarfile.LNKTYPE, "folder"), "leads outside"),
        (_special("null", tarfile.CHRTYPE), "'null' is a device"),
        (_special("disk", tarfile.BLKTYPE), "'disk' is a device"),
        (_special("pipe", tarfile.FIFOTYPE), "'pipe' is a pipe"),
        (_special("holes", tarfile.GNUTYPE_SPARSE), "'holes' is a sparse file"),
        (_special("odd", b"Q"), "'odd' is of the unknown type"),
        (_paxed("GNU.sparse.major", "1"), "'member' is a sparse file"),
        (_paxed("path", "/etc/evil"), "'/etc/evil' would be written outside"),
        (_paxed("path", "a\0b"), "a name that is not a path"),
        (_paxed("path", "x" * 300), "too long"),
        (_paxed("path", "x/" * 300), "too deep"),
        (_paxed("size", "-1"), "a size is not a number"),
        (_paxed("comment", "x" * 100_000), "a header of 100"),
        (_file("folder/" + "../" * 90 + "evil"), "would be written outside"),
    ],
)
def test_a_member_that_is_not_to_be_trusted_is_refused_by_name_and_nothing_is_written(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes], complaint: str
) -> None:
    archive = _archive(tmp_path / "model.tar.gz", _file("good"), _special("folder", tarfile.DIRTYPE), member)
    with pytest.raises(ArchiveError, match=complaint):
        extract(archive, tmp_path / "inner" / "into")
    assert list((tmp_path / "inner" / "into").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner", "model.tar.gz"]


@pytest.mark.parametrize(
    "members",
    [
        [("a", "."), ("a/b", ".."), ("b/evil", None)],
        [("out", ".."), ("out/evil", None)],
        # A link in place of a folder that is there already, and of a file.
        [("d/x", None), ("d", ".."), ("d/evil", None)],
        [("d", ".."), ("d/", None), ("d/evil", None)],
        [("evil", "../evil"), ("evil", None), ("evil", "../evil")],
        # By their texts all of these stay inside. Followed one after the other they do not.
        [("p/q/b", "../../r"), ("r/x", None), ("a", "p/q/b/../..")],
        [("loop", "loop")],
    ],
)
def test_links_that_lead_outside_together_are_refused(tmp_path: Path, members: list[tuple[str, str | None]]) -> None:
    made = [_file(name) if target is None else _special(name, tarfile.SYMTYPE, target) for name, target in members]
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(ArchiveError):
        extract(_archive(tmp_path / "x.tar.gz", *made), inner / "into")
    assert list((inner / "into").iterdir()) == []
    assert [path.name for path in inner.iterdir()] == ["into"]


def test_a_path_too_long_for_realpath_does_not_hide_where_a_link_leads(tmp_path: Path) -> None:
    # CVE-2025-4517: realpath gives up beyond PATH_MAX, and tarfile takes the rest of the path as it stands.
    long, steps, path, members = "d" * 247, "abcdefghijklmnop", "", []
    for step in steps:
        members += [
            _special(f"{path}{long}", tarfile.DIRTYPE),
            _special(f"{path}{step}", tarfile.SYMTYPE, long),
        ]
        path += f"{long}/"
    through = "/".join(steps)
    members += [
        _special(f"{through}/{'l' * 254}", tarfile.SYMTYPE, "../" * len(steps)),
        _special("escape", tarfile.SYMTYPE, f"{through}/{'l' * 254}/../evil"),
        _special("hard", tarfile.LNKTYPE, "escape"),
        _file("hard"),
    ]
    (tmp_path / "inner").mkdir()
    with pytest.raises(ArchiveError, match="below a link"):
        extract(_archive(tmp_path / "x.tar.gz", *members), tmp_path / "inner" / "into")
    assert not (tmp_path / "inner" / "evil").exists()


def test_links_and_hard_links_to_the_archive_s_own_files_are_unpacked(tmp_path: Path) -> None:
    archive = _archive(
        tmp_path / "x.tar.gz",
        _file("./blobs/weights"),
        _special("snapshots/1/model", tarfile.SYMTYPE, "../../blobs/weights"),
        _special("copy", tarfile.LNKTYPE, "./blobs/weights"),
        _special("latest", tarfile.SYMTYPE, "snapshots/1"),
    )
    extract(archive, tmp_path / "into")
    assert (tmp_path / "into" / "latest" / "model").read_bytes() == b"content"
    assert (tmp_path / "into" / "copy").read_bytes() == b"content"


def test_of_a_file_that_is_there_twice_the_later_one_counts(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "x.tar.gz", _file("a"), (tarfile.TarInfo("a"), b"later"))
    extract(archive, tmp_path / "into")
    assert (tmp_path / "into" / "a").read_bytes() == b"later"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_common_form_of_tar_is_read(tmp_path: Path, form: int) -> None:
    name = "d" * 90 + "/" + "n" * 90 + ("ü" * 20 if form != tarfile.USTAR_FORMAT else "")
    with tarfile.open(tmp_path / "x.tar", "w", format=form) as tar:
        member = tarfile.TarInfo(name)
        member.size = 5
        tar.addfile(member, io.BytesIO(b"hello"))
    extract(tmp_path / "x.tar", tmp_path / "into")
    assert (tmp_path / "into" / name).read_bytes() == b"hello"


def _zeros(path: Path, mebibytes: int, head: bytes = b"") -> Path:
    with gzip.open(path, "wb", 9) as compressed:
        member = tarfile.TarInfo("zeros")
        member.size = (mebibytes << 20) + len(head)
        compressed.write(member.tobuf() + head)
        for _ in range(mebibytes):
            compressed.write(bytes(1 << 20))
        compressed.write(bytes(1024))
    return path


def test_a_decompression_bomb_is_refused_and_the_setting_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = _zeros(tmp_path / "x.tar.gz", 300)
    with pytest.raises(ArchiveError, match=r"200 times its \d+ bytes.*LOCALAWS_ARCHIVE_RATIO"):
        extract(archive, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []
    monkeypatch.setenv("LOCALAWS_ARCHIVE_RATIO", "2000")
    extract(archive, tmp_path / "into")
    assert (tmp_path / "into" / "zeros").stat().st_size == 300 << 20


def test_zeros_below_the_bound_are_unpacked_whatever_their_ratio(tmp_path: Path) -> None:
    extract(_zeros(tmp_path / "x.tar.gz", 50), tmp_path / "into")
    assert (tmp_path / "into" / "zeros").stat().st_size == 50 << 20


@pytest.mark.parametrize(
    ("setting", "value"), [("LOCALAWS_ARCHIVE_MEMBERS", "2"), ("LOCALAWS_ARCHIVE_GIB", "0.000001")]
)
def test_a_limit_that_is_exceeded_names_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(ArchiveError, match=f"{setting} sets the limit"):
        extract(_archive(tmp_path / "x.tar.gz", _file("a"), _file("b"), _file("c")), tmp_path / "into")


def test_an_archive_that_does_not_fit_on_the_disk_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("huge")
    member.size = 1 << 50
    (tmp_path / "x.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(ArchiveError, match="do not fit on the disk"):
        extract(tmp_path / "x.tar", tmp_path / "into")


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
    pack([Tree(tmp_path / "algo-1"), Tree(tmp_path / "algo-2")], tmp_path / "x.tar.gz")
    extract(tmp_path / "x.tar.gz", tmp_path / "into")
    found = {path.name: path.read_text() for path in (tmp_path / "into").iterdir()}
    assert found == {"same": "algo-1", "of-algo-1": "algo-1", "of-algo-2": "algo-2"}


def test_a_link_to_nothing_is_not_packed_in_silence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "gone").symlink_to("/nowhere/at/all")
    with pytest.raises(ArchiveError, match="gone is a link to '/nowhere/at/all'"):
        pack(tmp_path / "folder", tmp_path / "x.tar.gz")
    assert not (tmp_path / "x.tar.gz").exists()


def test_of_a_link_to_a_file_elsewhere_in_the_root_the_content_is_packed(tmp_path: Path) -> None:
    (tmp_path / "ml" / "model").mkdir(parents=True)
    (tmp_path / "ml" / "weights").write_text("weights")
    (tmp_path / "ml" / "model" / "model").symlink_to("/opt/ml/weights")
    pack([Tree(tmp_path / "ml", "model", "/opt/ml")], tmp_path / "x.tar.gz")
    extract(tmp_path / "x.tar.gz", tmp_path / "into")
    assert not (tmp_path / "into" / "model").is_symlink()
    assert (tmp_path / "into" / "model").read_text() == "weights"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "/opt/ml/../secret", "up"])
def test_a_link_out_of_the_root_is_not_followed_when_packing(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "ml" / "model").mkdir(parents=True)
    (tmp_path / "ml" / "up").symlink_to("..")
    (tmp_path / "ml" / "model" / "up").symlink_to("../up/secret")
    (tmp_path / "ml" / "model" / "link").symlink_to(target)
    with pytest.raises(ArchiveError, match="is a link to"):
        pack([Tree(tmp_path / "ml", "model", "/opt/ml")], tmp_path / "x.tar.gz")


def test_a_folder_that_has_become_a_link_outside_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "model").symlink_to("/etc")
    tree = Tree(tmp_path / "ml", "model", "/opt/ml")
    pack([tree], tmp_path / "x.tar.gz")
    with tarfile.open(tmp_path / "x.tar.gz") as tar:
        assert tar.getnames() == []
    assert not tree.exists


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe")
    with pytest.raises(ArchiveError, match="pipe is a device, a pipe or a socket"):
        pack(tmp_path / "folder", tmp_path / "x.tar.gz")
    with pytest.raises(LeadsOut, match="is a pipe"):
        Tree(tmp_path / "folder").open("pipe")


def test_a_large_archive_is_one_gzip_stream_that_any_reader_takes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    dense, text = os.urandom(2_500_000), b"a line of text\n" * 200_000
    (tmp_path / "folder" / "dense").write_bytes(dense)
    (tmp_path / "folder" / "text").write_bytes(text)
    pack(tmp_path / "folder", tmp_path / "x.tar.gz")
    packed = (tmp_path / "x.tar.gz").read_bytes()
    one = zlib.decompressobj(31)
    plain = one.decompress(packed)
    assert one.eof and not one.unused_data, "one member: readers that know of one only get all"
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        assert {name: file and file.read() for name, file in files.items()} == {"dense": dense, "text": text}
    assert len(dense) < len(packed) < len(dense) + 100_000, "dense data are stored, and text is compressed"
    subprocess.run(["gzip", "-t", tmp_path / "x.tar.gz"], check=True)


def test_an_ordinary_user_packs_and_removes_what_a_job_closed(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from localaws.core import beneath
from localaws.core.packing import pack
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
model, deep = Path("model"), Path("deep")
(model / "closed").mkdir(parents=True)
(model / "closed" / "file").write_text("x")
(model / "closed" / "file").chmod(0)
(model / "closed").chmod(0)
pack(model.absolute(), Path("x.tar.gz").absolute())
(model / "closed").chmod(0)
model.chmod(0)
beneath.remove(model)
here = Path.cwd()
for _ in range(3000):
    os.mkdir("deep")
    os.chdir("deep")
os.chdir(here)
beneath.remove(deep)
print(sorted(path.name for path in here.iterdir()))
"""
    root = Path(__file__).parents[3]
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        command = [sys.executable, "-c", script]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout == "['x.tar.gz']\n", done.stderr
        with tarfile.open(Path(folder, "x.tar.gz")) as tar:
            assert tar.getnames() == ["closed", "closed/file"]
