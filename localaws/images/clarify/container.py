"""Plays the entry point of ``sagemaker-clarify-processing`` in a processing job."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

# The charts need no screen, and matplotlib no cache of the user's.
os.environ.setdefault("MPLBACKEND", "agg")

from localaws.images.clarify.config import AnalysisConfig, ReportOptions
from localaws.images.clarify.errors import AnalysisError
from localaws.images.entrypoint import play, root


def main() -> None:
    """Analyse what the job's inputs hold; exit status 1, and the reason for FailureReason, where that cannot be."""
    play(_analyse)


def _analyse() -> None:
    folder = root()
    job = json.loads((folder / "config" / "processingjobconfig.json").read_text())
    run(
        _input(job, "analysis_config", folder / "processing" / "input" / "config"),
        _input(job, "dataset", folder / "processing" / "input" / "data"),
        _output(job),
    )


def run(config_folder: Path, data_folder: Path, output: Path) -> None:
    """
    One analysis.

    :param config_folder: holds ``analysis_config.json``.
    :param data_folder: holds the data set's files.
    :param output: gets ``analysis.json`` and the report's files.
    :raises AnalysisError: it cannot be done; nothing was written.
    """
    began = time.monotonic()
    config = AnalysisConfig.read(config_folder)
    print(f"Analysis configuration: {config}", flush=True)
    # smclarify and pandas take a second to load: a configuration that is no good is refused before that.
    from localaws.images.clarify.bias import analyse
    from localaws.images.clarify.dataset import load

    table = load(data_folder, config)
    print(f"Data set: {len(table)} rows, columns {', '.join(map(str, table.columns))}", flush=True)
    analysis = analyse(table, config)
    for facet, values in analysis.facets.items():
        print(f"Computed pre-training bias of {len(values)} values of {facet}", flush=True)
    files = {"analysis.json": json.dumps(analysis.document(), indent=4).encode()}
    if config.report is not None:
        files |= _report(analysis, config.report)
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (output / name).write_bytes(content)
    print(f"Wrote {', '.join(files)} after {time.monotonic() - began:.1f} s", flush=True)


def _report(analysis: Any, options: ReportOptions) -> dict[str, bytes]:
    from localaws.images.clarify import content, html, notebook, pdf

    blocks = content.build(analysis, options.title)
    return {
        f"{options.name}.html": html.render(blocks, options.title).encode(),
        f"{options.name}.ipynb": notebook.render(blocks, options.title).encode(),
        f"{options.name}.pdf": pdf.render(blocks, options.title),
    }


def _input(job: dict[str, Any], name: str, usual: Path) -> Path:
    inputs = {entry["InputName"]: entry for entry in job.get("ProcessingInputs", [])}
    if name not in inputs:
        raise AnalysisError(f"the processing job has no input named {name}")
    return Path(inputs[name].get("S3Input", {}).get("LocalPath", usual))


def _output(job: dict[str, Any]) -> Path:
    outputs = {entry["OutputName"]: entry for entry in job.get("ProcessingOutputConfig", {}).get("Outputs", [])}
    if "analysis_result" not in outputs:
        raise AnalysisError("the processing job has no output named analysis_result")
    return Path(outputs["analysis_result"]["S3Output"]["LocalPath"])
