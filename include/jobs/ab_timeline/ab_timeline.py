"""
Processing job: what happened to an endpoint over time -> charts.

Reads ``INPUT/scaling/*.json``, the samples of an endpoint under load (``include/ab_test/watching.py``), and
``INPUT/metrics/*.json``, CloudWatch's metrics of both variants during the test, as ``EndpointMetricsOperator`` writes
them. Writes::

    OUTPUT/report/autoscaling.png   the metric and its target, the alarms' states, and the instances
    OUTPUT/report/traffic.png       invocations, model latency and errors of each variant
    OUTPUT/report/timeline.json     {"least", "most", "alarmed_after", "scaled_after", "activities", "synthetic"}:
                                    seconds from the first sample; None for what did not happen

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from drawing import draw_autoscaling, draw_traffic
from job import BadInput, is_synthetic, processing_parser, run, write_files


def read(folder: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    """Read the one document of a folder. :raises BadInput: there is none, or it lacks one of ``needed``."""
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if len(paths) != 1:
        raise BadInput(f"there must be one .json document in {folder}; there are {len(paths)}")
    try:
        document = json.loads(paths[0].read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{paths[0].name} is not a JSON document: {error}") from error
    missing = [name for name in needed if not isinstance(document, dict) or name not in document]
    if missing:
        raise BadInput(f"{paths[0].name} has no {', '.join(missing)}: was what writes it interrupted?")
    return dict(document)


def summarise(scaling: dict[str, Any]) -> dict[str, Any]:
    """Find when the alarm went off, and when there were more instances. :raises BadInput: nothing was sampled."""
    samples = scaling["samples"]
    if not samples:
        raise BadInput("the endpoint under load was never sampled")
    began = samples[0]["at"]
    alarmed = [sample["at"] for sample in samples if sample["alarms"].get("High") == "ALARM"]
    scaled = [sample["at"] for sample in samples if sample["instances"] > samples[0]["instances"]]
    counts = [sample["instances"] for sample in samples]
    return {
        "least": min(counts),
        "most": max(counts),
        "alarmed_after": round(alarmed[0] - began, 1) if alarmed else None,
        "scaled_after": round(scaled[0] - began, 1) if scaled else None,
        "activities": [each["description"] for each in scaling["activities"]],
    }


def work(source: Path, target: Path, synthetic: bool) -> dict[str, Any]:
    """Draw and write everything below ``target``; the report."""
    scaling = read(source / "scaling", ("samples", "metric", "activities", "period", "endpoint", "variant"))
    metrics = read(source / "metrics", ("endpoint", "period", "variants"))
    report = {**summarise(scaling), "synthetic": synthetic}
    files = {
        "autoscaling.png": draw_autoscaling(scaling, synthetic),
        "traffic.png": draw_traffic(metrics, synthetic),
        "timeline.json": (json.dumps(report, indent=2) + "\n").encode(),
    }
    write_files(target / "report", files)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    options = processing_parser("what happened to an endpoint over time -> charts").parse_args(arguments)

    def job() -> None:
        print(json.dumps(work(options.input, options.output, is_synthetic(options))))

    return run("ab_timeline", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
