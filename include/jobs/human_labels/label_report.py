"""The report of a batch of labels, to read."""

from __future__ import annotations

from typing import Any

LABELS = {-1: "negative", 0: "neutral", 1: "positive"}
SHARES = {"control": "control (random)", "uncertain": "uncertain", "all": "all"}
METHODS = {"majority": "majority", "dawid_skene": "Dawid and Skene's model"}


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report in Markdown: what people said, how the model did by it, and how far people agree."""
    mark = "SYNTHETIC: " if report["synthetic"] else ""
    lines = [
        f"# {mark}Labels by people: {report['labelled']} of {report['asked']} reviews",
        "",
        f"Batch `{report['batch']}`: {report['answers']} answers, merged by {METHODS[report['method']]}.",
        "",
        "| reviews | labelled | model agrees | accuracy of the model | 95 % interval |",
        "|:---|---:|---:|---:|:---:|",
        *(_row(SHARES[name], found) for name, found in report["model"].items()),
        "",
        "The control share was drawn at random from all candidates, so it measures the model without bias; the",
        "uncertain share was chosen because the model was unsure.",
        "",
        "## People (rows) and model (columns)",
        "",
        f"| | {' | '.join(LABELS.values())} |",
        "|:---|---:|---:|---:|",
        *(
            f"| {name} | {' | '.join(map(str, row))} |"
            for name, row in zip(LABELS.values(), report["model"]["all"]["confusion"], strict=True)
        ),
        "",
        "## Workers",
        "",
        _between(report["between_workers"]),
        "",
        "| worker | answers | became the label | share |",
        "|:---|---:|---:|---:|",
        *(
            f"| {name} | {own['answers']} | {own['agree']} | {_share(own['agreement'])} |"
            for name, own in report["workers"].items()
        ),
    ]
    if report["unlabelled"]:
        lines += ["", "## Without a label", "", "| reason | reviews |", "|:---|---:|"]
        lines += [f"| {reason} | {count} |" for reason, count in report["unlabelled"].items()]
    return "\n".join(lines) + "\n"


def _row(name: str, found: dict[str, Any]) -> str:
    interval = " to ".join(f"{value:.1%}" for value in found["interval"]) if found["interval"] else ""
    return f"| {name} | {found['reviews']} | {found['agree']} | {_share(found['accuracy'])} | {interval} |"


def _between(found: dict[str, Any]) -> str:
    if not found["reviews"]:
        return "No review has two answers: how far people agree is not known."
    kappa = "not defined" if found["kappa"] is None else f"{found['kappa']:.2f}"
    return (
        f"{found['reviews']} reviews have two answers or more: {found['agreement']:.1%} agree, Fleiss' kappa {kappa}."
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
