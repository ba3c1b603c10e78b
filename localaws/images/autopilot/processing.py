"""Plays the entry point of ``sagemaker-autopilot`` in a processing job: ``analyse``, ``features`` or ``explain``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from localaws.images.autopilot.objectives import BINARY, MULTICLASS
from localaws.images.entrypoint import play, root


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse the container's arguments."""
    parser = argparse.ArgumentParser(prog="sagemaker-autopilot")
    steps = parser.add_subparsers(dest="step", required=True)
    analyse = steps.add_parser("analyse", help="data -> analysis.json, the split, the notebooks")
    analyse.add_argument("--job", required=True, help="the AutoML job's name")
    analyse.add_argument("--target", required=True)
    analyse.add_argument("--text", help="the content column; else the one with the longest texts")
    analyse.add_argument("--problem-type", choices=(BINARY, MULTICLASS))
    analyse.add_argument("--objective")
    analyse.add_argument("--validation-fraction", type=float, default=0.2)
    for channel in ("training", "validation"):
        analyse.add_argument(f"--{channel}-form", choices=("csv", "csv+gzip", "parquet"))
    analyse.add_argument("--max-candidates", type=int, default=3)
    analyse.add_argument("--base-model", required=True)
    analyse.add_argument("--output", required=True, help="the job's S3 prefix, which the notebooks read")
    features = steps.add_parser("features", help="the split -> token ids")
    features.add_argument("--base-model", required=True)
    explain = steps.add_parser("explain", help="the best candidate -> explanations and insights")
    explain.add_argument("--candidate", required=True)
    return parser.parse_args(arguments)


def main() -> None:
    """One processing job."""
    options = parse(sys.argv[1:])
    play(lambda: run(options, root() / "processing"))


def run(options: argparse.Namespace, folder: Path) -> None:
    """
    Run the step that the arguments name.

    :param folder: ``/opt/ml/processing``.
    """
    if options.step == "analyse":
        from localaws.images.autopilot.analyse import analyse

        analyse(options, folder)
    elif options.step == "features":
        from localaws.images.autopilot.features import make

        make(options.base_model, folder)
    else:
        from localaws.images.autopilot.explain import explain

        explain(options.candidate, folder)
