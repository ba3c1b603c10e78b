"""The leader board for people: in Markdown, and as a page by itself."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

from wording import amount, duration, size

_STYLE = """
:root { --ink: #22272e; --faint: #59636e; --line: #d9dee4; --lead: #1f5f8f; --bar: #cfe2f0; --ground: #ffffff; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 66rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.2rem; }
p { margin: .4rem 0; max-width: 46rem; }
.faint { color: var(--faint); }
.mark { display: inline-block; margin-bottom: .6rem; padding: .1rem .6rem; border-radius: 4px; background: #8f2f24;
  color: #ffffff; font-weight: 700; letter-spacing: .06em; }
.scroll { margin-top: 1.25rem; overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { padding-bottom: .5rem; text-align: left; color: var(--faint); }
th, td { padding: .6rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap;
  vertical-align: top; }
thead th { border-bottom: 2px solid var(--ink); font-size: .85rem; vertical-align: bottom; }
tbody th, .name { text-align: left; white-space: normal; min-width: 11rem; }
tbody th small, td small { display: block; font-weight: 400; color: var(--faint); }
tr.lead th, tr.lead td { background: #f1f7fb; }
tr.lead .value { color: var(--lead); font-weight: 700; }
.meter { display: block; margin-top: .35rem; height: .4rem; border-radius: 2px; background: #eef1f4; }
.meter i { display: block; height: 100%; border-radius: 2px; background: var(--bar); }
tr.lead .meter i { background: var(--lead); }
img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px; }
li { margin: .25rem 0; }
"""

_HEADINGS = ("model", "accuracy (95 %)", "macro F1", "training", "latency p50", "size")


def sentences(board: dict[str, Any]) -> list[str]:
    """What the board says, in words."""
    best, reviews = board["models"][0], board["test_split"]["reviews"]
    said = [
        f"{best['model']} leads with an accuracy of {best['accuracy']:.1%} on {reviews:,} reviews that no model has "
        "learnt from."
    ]
    if board["undecided"]:
        said.append(
            f"Within its margin of chance on these reviews: {', '.join(board['undecided'])}. The order among these "
            "may change with other reviews."
        )
    return said


def as_markdown(board: dict[str, Any]) -> str:
    """The table for a log or a repository."""
    lines = [f"# {_mark(board)}Leader board of the sentiment models", "", *sentences(board), ""]
    lines += [f"| # | {' | '.join(_HEADINGS)} |", "|---:|:---|---:|---:|---:|---:|---:|"]
    for row in board["models"]:
        low, high = row["accuracy_95"]
        cells = (
            _cell(row["model"]) + (f" ({_cell(row['kind'])})" if row["kind"] else ""),
            f"{row['accuracy']:.4f} ({low:.3f} to {high:.3f})",
            f"{row['macro_f1']:.4f}",
            duration(row["training_seconds"]),
            amount(row["latency_ms"]["p50"], "ms"),
            size(row["model_bytes"]),
        )
        lines.append(f"| {row['rank']} | {' | '.join(cells)} |")
    if board["left_out"]:
        lines += ["", "## Not compared", ""]
        lines += [f"* {_cell(one['model'])}: {_cell(one['reason'])}" for one in board["left_out"]]
    lines += ["", f"Test split: {board['test_split']['reviews']:,} reviews, `{board['test_split']['sha256'][:16]}`."]
    return "\n".join(lines) + "\n"


def as_html(board: dict[str, Any], picture: bytes) -> str:
    """A page by itself, the chart inside."""
    title = "Leader board of the sentiment models"
    mark = '<p class="mark">SYNTHETIC REVIEWS</p>' if board["synthetic"] else ""
    split = board["test_split"]
    image = base64.b64encode(picture).decode()
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{_mark(board)}{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><main>",
        mark,
        f"<h1>{title}</h1>",
        *(f"<p>{escape(sentence)}</p>" for sentence in sentences(board)),
        _table(board),
        "<h2>The same as a chart</h2>",
        f'<img src="data:image/png;base64,{image}" alt="{escape(_alternative(board))}">',
        _left_out(board),
        "<h2>How it was measured</h2>",
        "<p>Each model was asked through an endpoint about every review of one test split, in the form that it was "
        "taught. Accuracy has Wilson's 95 % interval; macro F1 is the mean over the three sentiments. Latency is that "
        "of a request with one review, sent one after the other: the median, and below it the 95th percentile. Size is "
        "that of the model's archive.</p>",
        f'<p class="faint">Test split of {split["reviews"]:,} reviews, fingerprint '
        f"<code>{escape(split['sha256'][:16])}</code>.</p>",
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _table(board: dict[str, Any]) -> str:
    headings = "".join(
        f'<th scope="col"{" class=name" if name == "model" else ""}>{name}</th>' for name in ("#", *_HEADINGS)
    )
    rows = "\n".join(_row(row) for row in board["models"])
    caption = "Models that were judged by the same test split, the most accurate first."
    return (
        f'<div class="scroll" role="region" aria-label="Leader board" tabindex="0"><table><caption>{caption}</caption>'
        f"<thead><tr>{headings}</tr></thead><tbody>\n{rows}\n</tbody></table></div>"
    )


def _row(row: dict[str, Any]) -> str:
    low, high = row["accuracy_95"]
    kind = f"<small>{escape(row['kind'])}</small>" if row["kind"] else ""
    kind += f"<small>judged {escape(row['evaluated_at'][:10])}</small>"
    meter = f'<span class="meter" aria-hidden="true"><i style="width:{row["accuracy"]:.1%}"></i></span>'
    cells = (
        f'<td><span class="value">{row["accuracy"]:.1%}</span><small>{low:.1%} to {high:.1%}</small>{meter}</td>',
        f"<td>{row['macro_f1']:.3f}</td>",
        f"<td>{duration(row['training_seconds'])}</td>",
        f"<td>{amount(row['latency_ms']['p50'], 'ms')}<small>p95 {amount(row['latency_ms']['p95'], 'ms')}</small></td>",
        f"<td>{size(row['model_bytes'])}</td>",
    )
    lead = ' class="lead"' if row["rank"] == 1 else ""
    name = f'<th scope="row">{escape(row["model"])}{kind}</th>'
    return f"<tr{lead}><td>{row['rank']}</td>{name}{''.join(cells)}</tr>"


def _left_out(board: dict[str, Any]) -> str:
    if not board["left_out"]:
        return ""
    entries = "".join(
        f"<li><strong>{escape(one['model'])}</strong>: {escape(one['reason'])}</li>" for one in board["left_out"]
    )
    return f"<h2>Not compared</h2><ul>{entries}</ul>"


def _alternative(board: dict[str, Any]) -> str:
    rows = (
        f"{row['model']} {row['accuracy']:.1%}, trained in {duration(row['training_seconds'])}, "
        f"{amount(row['latency_ms']['p50'], 'ms')} a review, {size(row['model_bytes'])}"
        for row in board["models"]
    )
    return "Accuracy, training time, latency and size of each model: " + "; ".join(rows)


def _mark(board: dict[str, Any]) -> str:
    return "SYNTHETIC: " if board["synthetic"] else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
