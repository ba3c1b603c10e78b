"""The report's three files: the same content, charts included, and each of its kind."""

from __future__ import annotations

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from clarify_kit import METRICS, ROWS, analyse, by_value, config, lines

from localaws.images.clarify import content
from localaws.images.clarify.meanings import MEANINGS

METHODS = {"pre_training_bias": {"methods": METRICS}, "report": {"name": "bias", "title": "Shops & <outcomes>"}}


class Page(HTMLParser):
    """Text by tag, and the images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.headings: list[str] = []
        self.images: dict[str, bytes] = {}
        self._into: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._into = self.cells if tag in ("td", "th") else self.headings if tag in ("h1", "h2", "h3") else None
        if self._into is not None:
            self._into.append("")
        if tag == "img":
            found = dict(attrs)
            self.images[str(found["alt"])] = base64.b64decode(str(found["src"]).partition("base64,")[2])

    def handle_endtag(self, tag: str) -> None:
        self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clarify")
    analyse(folder, config(methods=METHODS), lines())
    return folder / "output"


@pytest.fixture(scope="module")
def metrics(output: Path) -> dict[str, dict[str, float]]:
    return by_value(json.loads((output / "analysis.json").read_text()))


def test_files_have_the_name_that_the_configuration_gives(output: Path) -> None:
    assert {path.name for path in output.iterdir()} == {"analysis.json", "bias.html", "bias.ipynb", "bias.pdf"}


def test_no_report_section_no_report(tmp_path: Path) -> None:
    analyse(tmp_path, config(), lines())
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["analysis.json"]


def test_html_has_a_table_for_each_facet_value_with_meanings_and_all_charts(
    output: Path, metrics: dict[str, dict[str, float]]
) -> None:
    page = Page((output / "bias.html").read_text())
    assert page.headings[0] == "Shops & <outcomes>"
    assert [heading for heading in page.headings if " = " in heading] == [f"product = {value}" for value in metrics]
    for found in metrics.values():
        for name, value in found.items():
            assert content.number(value) in page.cells
            assert page.cells.count(MEANINGS[name]) == len(metrics) + 1
    assert list(page.images) == [
        "Distribution of the label outcome",
        "Rows and outcomes by product",
        "Metrics by product",
    ]
    assert all(image.startswith(b"\x89PNG") for image in page.images.values())


def test_notebook_is_valid_and_says_what_the_html_says(output: Path) -> None:
    notebook = nbformat.read(output / "bias.ipynb", as_version=4)
    nbformat.validate(notebook)
    page = Page((output / "bias.html").read_text())
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown").replace("\\", "")
    for word in {*page.headings, *page.cells}:
        assert word in text, word
    images = [image for cell in notebook.cells for image in cell.get("attachments", {}).values()]
    assert [base64.b64decode(image["image/png"]) for image in images] == list(page.images.values())


def test_notebook_s_code_runs_beside_the_analysis(
    output: Path, metrics: dict[str, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(output / "bias.ipynb", as_version=4)
    (code,) = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    monkeypatch.chdir(output)
    names: dict[str, Any] = {}
    exec(code, names)
    table = names["metrics"]
    assert table.loc[("product", "Dresses"), "CI"] == metrics["Dresses"]["CI"]
    assert len(table) == 3


def test_pdf_has_pages_and_the_charts(output: Path) -> None:
    content = (output / "bias.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", content)) >= 2
    assert len(re.findall(rb"/Subtype /Image\b", content)) >= 3
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    shown = b"".join(_inflated(stream) for stream in streams)
    # matplotlib writes text as glyphs of an embedded font, in brackets with its kerning between.
    words = re.sub(rb"\)\s*-?[\d.]*\s*\(", b"", shown)
    assert b"Pre-training metrics" in words
    assert b"product = Jeans" in words


def test_odd_names_do_not_break_a_report(tmp_path: Path) -> None:
    odd = {"Dresses": "$x_1$ | <b>&", "Knits": "a" * 300, "Jeans": "شال [1](x)"}
    rows = [(outcome, odd[product], shop) for outcome, product, shop in ROWS]
    analysis = analyse(tmp_path, config(methods=METHODS), lines(rows))
    page = Page((tmp_path / "output" / "bias.html").read_text())
    assert list(by_value(analysis)) == list(odd.values())
    for name in odd.values():
        assert f"product = {name}" in page.headings
    nbformat.validate(nbformat.read(tmp_path / "output" / "bias.ipynb", as_version=4))
    assert (tmp_path / "output" / "bias.pdf").read_bytes().startswith(b"%PDF-")


def test_many_facet_values_are_all_in_the_tables(tmp_path: Path) -> None:
    rows = [(outcome, f"product {number}", "x") for number in range(44) for outcome in (0, 1)]
    analyse(tmp_path, config(methods=METHODS), lines(rows))
    page = Page((tmp_path / "output" / "bias.html").read_text())
    assert sum(" = product" in heading for heading in page.headings) == 44


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""
