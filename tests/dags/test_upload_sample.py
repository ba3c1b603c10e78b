"""The sample of a small run, from files that are not all plain."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.reviews.upload import keep_sample

ROWS = [b"id,text\n", *(b"%d,good\n" % number for number in range(200))]


@pytest.mark.parametrize(
    "odd", [b"200,caf\xe9\n", b"201," + b"long " * 200_000 + b"\n", b'202,"two\nlines"\n', b"203,nul\0\n"]
)
def test_one_odd_row_does_not_keep_a_file_from_being_sampled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: bytes
) -> None:
    file = tmp_path / "r.csv"
    file.write_bytes(b"".join([*ROWS, odd]))
    keep_sample(file, 201, 42)
    assert capsys.readouterr().out == "Keeping 201 rows\n"
    # All rows: what is odd in one is for the transform job to see.
    assert file.read_bytes().replace(b"\r\n", b"\n") == b"".join([*ROWS, odd])
    keep_sample(file, 20, 42)
    assert capsys.readouterr().out == "Keeping 20 rows\n"
    assert len(file.read_bytes()) < 2_000_000
