"""
What all jobs do alike: their arguments, how they write a report, and how they end when their input cannot be used.

The jobs' folders hold links to this module: a job sees its own folder only, with the links' content.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: exit statuses. After the first Airflow does not try again: amazon_ml's operators know it by this number.
UNUSABLE, UNAVAILABLE = 2, 1
#: where SageMaker puts a processing job's inputs, and takes its outputs from.
PROCESSING = Path("/opt/ml/processing")


class BadInput(Exception):
    """The input cannot be used; the message is one sentence for the person who supplied it."""


class Unavailable(Exception):
    """Something that the job needs does not answer, and may when it is asked again."""


def aws_failure(message: str, error: Any) -> BadInput | Unavailable:
    """
    Return the exception for one of botocore's: :class:`BadInput` where AWS refuses, else :class:`Unavailable`.

    AWS refuses by 4xx, but not by throttling, nor by 424: a model's container that is being started again gives that.
    """
    answer = getattr(error, "response", None) or {}
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    throttled = "Throttl" in answer.get("Error", {}).get("Code", "")
    refused = answer and 400 <= status < 500 and status not in (424, 429) and not throttled
    return (BadInput if refused else Unavailable)(f"{message}: {error}")


def run(name: str, work: Callable[[], int | None], reason: Path) -> int:
    """
    Do the ``work`` of the job ``name``, and return the exit status.

    That is the status of the work (None is 0), 2 for unusable input, 1 where something did not answer.

    :param reason: the file that SageMaker takes the failure reason from; written where there is a container.
    """
    try:
        return work() or 0
    except (BadInput, Unavailable) as error:
        print(f"{name}: {error}", file=sys.stderr)
        if reason.parent.parent.is_dir():
            reason.parent.mkdir(exist_ok=True)
            reason.write_text(f"{error}\n", encoding="utf-8")
        return UNUSABLE if isinstance(error, BadInput) else UNAVAILABLE


def processing_parser(description: str, *, reads: str | None = "", synthetic: bool = True) -> argparse.ArgumentParser:
    """
    Return a parser with the arguments of a processing job: the container's paths, and whether the reviews are made up.

    :param reads: where ``--input`` points below the inputs, "" for all of them; None for a job without.
    :param synthetic: whether there is ``--synthetic``; see :func:`is_synthetic`.
    """
    parser = argparse.ArgumentParser(description=description)
    if reads is not None:
        parser.add_argument("--input", type=Path, default=PROCESSING / "input" / reads)
    parser.add_argument("--output", type=Path, default=PROCESSING / "output")
    parser.add_argument("--reason", type=Path, default=Path("/opt/ml/output/message"))
    if synthetic:
        # In capitals too: Airflow renders Python's True.
        parser.add_argument("--synthetic", default="false", choices=("true", "false", "True", "False"))
    return parser


def share(text: str) -> float:
    """
    Parse an argument that is a share: above 0 and below 1.

    :raises ArgumentTypeError: the text is not such a number.
    """
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def is_synthetic(options: argparse.Namespace) -> bool:
    """Say whether the reviews are made up, which every report and chart then says."""
    return str(options.synthetic).lower() == "true"


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a report's files, whose contents are all made before the first is written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
