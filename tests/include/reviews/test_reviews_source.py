"""Where raw reviews come from: the named source, the public data set, the made-up ones; and what is refused."""

from __future__ import annotations

import random
import stat
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from include.reviews import synthetic
from include.reviews.source import PUBLIC, PUBLIC_URL, Origin, SourceError, download_public, fetch

CSV = b"Review Text,Rating,Class Name\nfine,5,Dresses\n"


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def refused(source: str | Path, tmp_path: Path) -> str:
    """The sentence; and the target is as it was, with nothing beside it."""
    target = tmp_path / "target" / "reviews.csv"
    target.parent.mkdir()
    target.write_bytes(b"as before")
    with pytest.raises(SourceError) as error:
        fetch(str(source), target)
    assert target.read_bytes() == b"as before"
    assert [path.name for path in target.parent.iterdir()] == ["reviews.csv"]
    return str(error.value)


def test_a_csv_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(CSV)
    assert fetch(str(tmp_path / "in.csv"), tmp_path / "new" / "reviews.csv") == Origin(str(tmp_path / "in.csv"))
    assert (tmp_path / "new" / "reviews.csv").read_bytes() == CSV


def test_the_one_csv_of_an_archive_is_taken_leftovers_aside(tmp_path: Path) -> None:
    members = {"__MACOSX/._My Reviews.csv": b"junk", "read me.txt": b"hello", "My Reviews.csv": CSV, ".x.csv": b"junk"}
    source = archive(tmp_path / "in.zip", members)
    fetch(str(source), tmp_path / "reviews.csv")
    assert (tmp_path / "reviews.csv").read_bytes() == CSV


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.csv", tmp_path) == f"the source {tmp_path / 'none.csv'} does not exist"


def test_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    assert "is empty" in refused(tmp_path / "empty.csv", tmp_path)
    with pytest.raises(SourceError, match="is a folder"):
        fetch(str(tmp_path), tmp_path / "reviews.csv")


@pytest.mark.parametrize("members", [{}, {"a.csv": CSV, "b.csv": CSV}, {"a.txt": CSV}])
def test_an_archive_without_exactly_one_csv_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    assert "must have one .csv file" in refused(archive(tmp_path / "in.zip", members), tmp_path)


def test_a_file_that_is_only_called_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.zip").write_bytes(CSV)
    assert "is not a zip archive" in refused(tmp_path / "in.zip", tmp_path)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    source = archive(tmp_path / "in.zip", {"a.csv": random.Random(0).randbytes(5000)})
    content = bytearray(source.read_bytes())
    content[60:80] = bytes(20)
    source.write_bytes(content)
    assert "cannot be unpacked" in refused(source, tmp_path)


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path: Path) -> None:
    assert "refused" in refused(archive(tmp_path / "in.zip", {"a.csv": b"0" * 10_000_000}), tmp_path)


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "in/../../a.csv", "..\\a.csv"])
def test_a_member_with_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    assert "points elsewhere" in refused(archive(tmp_path / "in.zip", {name: CSV}), tmp_path)


def test_a_member_that_is_a_link_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as file:
        link = zipfile.ZipInfo("a.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert "points elsewhere" in refused(tmp_path / "in.zip", tmp_path)


class Public(BaseHTTPRequestHandler):
    """The public data set, in health (``/csv``) and in all sorts of trouble."""

    waiting = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/silent":
            self.waiting.wait(20)
        body = b"<html>log in first</html>" if self.path == "/portal" else CSV * 1000
        self.send_response(403 if self.path == "/forbidden" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:100] if self.path == "/cut" else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def public() -> Iterator[str]:
    Public.waiting.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Public)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        Public.waiting.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_public_data_set_is_read(public: str, tmp_path: Path) -> None:
    download_public(tmp_path / "r.csv", f"{public}/csv")
    assert (tmp_path / "r.csv").read_bytes() == CSV * 1000


@pytest.mark.parametrize(
    ("path", "said"),
    [("forbidden", "403"), ("portal", "not the data set"), ("cut", "of 45000 bytes"), ("silent", "within 0 s")],
)
def test_public_trouble_ends_in_a_sentence_and_no_file(public: str, tmp_path: Path, path: str, said: str) -> None:
    patience = 0.2 if path == "silent" else 5.0
    with pytest.raises(SourceError, match=said):
        download_public(tmp_path / "r.csv", f"{public}/{path}", patience)
    assert not (tmp_path / "r.csv").exists()


def test_the_public_address_is_amazons_own_whatever_the_endpoint_setting() -> None:
    assert PUBLIC_URL.startswith("https://s3.amazonaws.com/dlai-practical-data-science/data/raw/")


def test_without_a_source_the_public_data_set_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("include.reviews.source.download_public", lambda target: target.write_bytes(CSV))
    assert fetch(None, tmp_path / "reviews.csv") == Origin(PUBLIC)
    assert (tmp_path / "reviews.csv").read_bytes() == CSV


def test_without_source_and_network_made_up_reviews_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(target: Path) -> None:
        raise SourceError("the public data set cannot be had")

    monkeypatch.setattr("include.reviews.source.download_public", unreachable)
    origin = fetch("", tmp_path / "reviews.csv")
    assert origin.synthetic and "SYNTHETIC" in origin.source
    assert "SYNTHETIC" in capsys.readouterr().out
    synthetic.write(tmp_path / "expected.csv")
    assert (tmp_path / "reviews.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_a_named_source_is_never_replaced_by_made_up_reviews(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        fetch(str(tmp_path / "none.csv"), tmp_path / "reviews.csv")
    assert not (tmp_path / "reviews.csv").exists()


def test_an_s3_uri_is_read_and_a_missing_one_named(localaws: object, tmp_path: Path) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="review-sources")
    s3.put_object(Bucket="review-sources", Key="in/reviews.csv", Body=CSV)
    s3.upload_file(str(archive(tmp_path / "in.zip", {"a.csv": CSV})), "review-sources", "in/reviews.zip")
    for name in ("reviews.csv", "reviews.zip"):
        uri = f"s3://review-sources/in/{name}"
        assert fetch(uri, tmp_path / "reviews.csv") == Origin(uri)
        assert (tmp_path / "reviews.csv").read_bytes() == CSV
    with pytest.raises(SourceError, match=r"s3://review-sources/none\.csv cannot be read"):
        fetch("s3://review-sources/none.csv", tmp_path / "other.csv")
    with pytest.raises(SourceError, match="not an S3 URI of a file"):
        fetch("s3://review-sources", tmp_path / "other.csv")
