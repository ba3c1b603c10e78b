"""Put README, CONTRIBUTING, CHANGELOG and the results of benchmarks on the site, and follow the links between them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = get_plugin_logger("repository")

ROOT = Path(__file__).parents[2]
RESULTS = "benchmarks/results"
#: a file of the repository -> where the site has it. Files of ``docs/`` are found without it.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE.txt",
    **{f"{RESULTS}/{path.name}": f"benchmarks/{path.name}" for path in sorted((ROOT / RESULTS).glob("*.md"))},
    RESULTS: "benchmarks/index.md",
}
_SOURCES = {page: source for source, page in PAGES.items()}
_FENCE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that mkdocs.yml does not name into a last part of the navigation."""
    named = str(config.nav)
    others = [path.name for path in sorted((ROOT / "docs").glob("*.md")) if f"'{path.name}'" not in named]
    if others and config.nav is not None:
        config.nav.append({"More": others})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside of ``docs/``."""
    for source, page in PAGES.items():
        text = _index_of_results() if source == RESULTS else (ROOT / source).read_text()
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links to pages."""
    here = page.file.src_uri
    source = _SOURCES.get(here) or f"docs/{here}"
    folder = source if source == RESULTS else posixpath.dirname(source)
    parts = _FENCE.split(markdown)
    return "".join(part if _FENCE.fullmatch(part) else _relinked(part, folder, here) for part in parts)


def _relinked(text: str, folder: str, here: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        # A picture that is a link: the picture's own address is inside the words.
        words = _LINK.sub(replaced, words) if "](" in words else words
        if re.match(r"[a-z]+:|#", target):
            return f"{picture}[{words}]({target})"
        path, mark, anchor = target.partition("#")
        wanted = posixpath.normpath(posixpath.join(folder, path))
        there = PAGES.get(wanted) or (wanted.removeprefix("docs/") if wanted.startswith("docs/") else None)
        if there is not None:
            return f"{picture}[{words}]({posixpath.relpath(there, posixpath.dirname(here) or '.')}{mark}{anchor})"
        if not (ROOT / wanted).exists():
            log.warning(f"{here}: no file {wanted} in the repository")
        # The site has no such file, so only the words stay.
        return words

    return _LINK.sub(replaced, text)


def _index_of_results() -> str:
    lines = ["# Measurements", "", "Each page is written by the command that it names.", ""]
    for path in sorted((ROOT / RESULTS).glob("*.md")):
        title = path.read_text().partition("\n")[0].lstrip("# ")
        lines.append(f"* [{title}]({path.name})")
    return "\n".join(lines) + "\n"
