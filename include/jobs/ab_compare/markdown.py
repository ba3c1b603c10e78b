"""The report of an A/B test, to read."""

from __future__ import annotations

from typing import Any

DESIGNS = {"random": "each review went to one variant, drawn by the endpoint", "paired": "each review went to both"}
SPENDING = {"obrien_fleming": "O'Brien-Fleming", "pocock": "Pocock"}


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report in Markdown: the decision first, then what it rests on."""
    plan, test, power = report["plan"], report["test"], report["power"]
    mark = "SYNTHETIC: " if report["synthetic"] else ""
    low, high = test["interval"]
    lines = [
        f"# {mark}A/B test: {report['decision']}",
        "",
        f"Decision after look {report['look']} of {plan['looks']}: **{report['decision']}**. "
        f"{_sentence(report['because'])}",
        "",
        f"{report['reviews']:,} labelled reviews; {DESIGNS[plan['design']]}.",
        "",
        "| variant | requests | errors | reviews | accuracy | 95 % interval | p50 | p95 | p99 |",
        "|:---|---:|---:|---:|---:|:---:|---:|---:|---:|",
        *(_row(name, figures) for name, figures in report["variants"].items()),
        "",
        f"* **Accuracy**: {test['name']} test, difference {test['difference']:+.4f} ({low:+.4f} to {high:+.4f} at this "
        f"look's level), p = {test['p_value']:.4f} against {test['level']:.4f}.",
        f"* **Latency**: the challenger's median is shorter by {report['speedup']['value']:.1%} (bootstrap interval "
        f"{report['speedup']['low']:.1%} to {report['speedup']['high']:.1%}).",
        f"* **Looks**: {_looks(report['looks'])}; {SPENDING[plan['spending']]} spending of "
        f"{plan['alpha'] * (1 - plan['latency_share']):.3g} for the accuracy.",
        f"* **Power**: {power['reviews_needed']:,} reviews a variant find a difference of {plan['min_difference']:.1%} "
        f"with a probability of {plan['power']:.0%}; the {power['planned']:,} planned ones find "
        f"{power['smallest_difference']:.1%}.",
    ]
    if test["only_challenger"] is not None:
        lines.append(
            f"* Of the reviews that they differ on the challenger is right on {test['only_challenger']}, the champion "
            f"on {test['only_champion']}."
        )
    if report["unattributed"]:
        lines.append(f"* {report['unattributed']:,} requests were answered by no known variant and are left out.")
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _looks(looks: dict[str, list[float]]) -> str:
    pairs = zip(looks["z"], looks["boundaries"], strict=False)
    return ", ".join(f"z = {z:+.2f} against {bound:.2f}" for z, bound in pairs)


def _row(name: str, figures: dict[str, Any]) -> str:
    low, high = figures["accuracy_95"]
    latency = " | ".join(
        f"{found['value']:.1f} ms ({found['low']:.1f} to {found['high']:.1f})"
        for found in figures["latency_ms"].values()
    )
    return (
        f"| {name} | {figures['requests']:,} | {figures['errors']:,} | {figures['reviews']:,} | "
        f"{figures['accuracy']:.4f} | {low:.4f} to {high:.4f} | {latency} |"
    )
