"""The job's two notebooks. Their code needs boto3, pandas and pyarrow, and finds S3 by the ordinary AWS environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import nbformat
from nbformat import v4

from localaws.images.autopilot.kinds import named

EXPLORATION = "SageMakerAutopilotDataExplorationNotebook.ipynb"
DEFINITION = "SageMakerAutopilotCandidateDefinitionNotebook.ipynb"

_READ = """\
# Everything lies in S3; region, keys and endpoint come from the environment.
import io
import json

import boto3
import pandas as pd

session = boto3.Session()
s3 = session.client("s3")
OUTPUT = {output!r}


def read(path):
    bucket, _, key = f"{{OUTPUT}}/{{path}}".removeprefix("s3://").partition("/")
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


analysis = json.loads(read("analysis/analysis.json"))
"""

_CLASSES = """\
# The two parts of the data, and the share that each class has in them.
parts = {
    name: pd.read_parquet(io.BytesIO(read(f"preprocessed-data/{name}.parquet")))
    for name in ("train", "validation")
}
shares = pd.DataFrame({name: part["label"].value_counts(normalize=True) for name, part in parts.items()})
shares
"""

_WORDS = """\
# Words a text: what lies beyond the encoder's longest input is cut off.
words = pd.concat(parts)["text"].str.split().str.len().describe()
words
"""

_DUPLICATES = """\
# Texts that stand more than once; in both parts they would make the validation too kind.
texts = {name: set(part["text"]) for name, part in parts.items()}
in_both = sorted(texts["train"] & texts["validation"])
print(f"{len(in_both)} texts are in both parts")
"""

_BOARD = """\
# The leader board as it stands: candidates that have ended, best first.
sagemaker = session.client("sagemaker")
found = sagemaker.list_candidates_for_auto_ml_job(
    AutoMLJobName=analysis["job"],
    StatusEquals="Completed",
    SortBy="FinalObjectiveMetricValue",
    SortOrder="Descending",
)["Candidates"]
board = pd.DataFrame(
    [
        {
            "candidate": candidate["CandidateName"],
            analysis["objective"]: candidate["FinalAutoMLJobObjectiveMetric"]["Value"],
            "seconds": (candidate["EndTime"] - candidate["CreationTime"]).total_seconds(),
        }
        for candidate in found
    ]
)
board
"""

_AGAIN = """\
# The request that trains a candidate again, with hyperparameters of your own; a role of yours is needed to send it.
def training_job(name, candidate, role, **hyperparameters):
    template = sagemaker.describe_training_job(TrainingJobName=candidate["CandidateName"])
    request = {
        member: template[member]
        for member in ("InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition")
    }
    algorithm = template["AlgorithmSpecification"]
    image = {member: algorithm[member] for member in ("TrainingImage", "TrainingInputMode")}
    changed = {key: str(value) for key, value in hyperparameters.items()}
    return {
        **request,
        "TrainingJobName": name,
        "RoleArn": role,
        "AlgorithmSpecification": image,
        "HyperParameters": {**template["HyperParameters"], **changed},
    }


# sagemaker.create_training_job(**training_job("again", found[0], "arn:aws:iam::...:role/...", seed=7))
requests = [training_job(f"again-{place}", candidate, "", seed=7) for place, candidate in enumerate(found)]
"""


def both(analysis: dict[str, Any], output: str) -> dict[str, str]:
    """
    Return both notebooks by file name.

    :param analysis: ``analysis.json``.
    :param output: the job's S3 prefix.
    """
    return {
        EXPLORATION: _notebook(f"Data exploration: {analysis['job']}", _exploration(analysis, output)),
        DEFINITION: _notebook(f"Candidate definitions: {analysis['job']}", _definition(analysis, output)),
    }


def _exploration(analysis: dict[str, Any], output: str) -> list[tuple[str, str]]:
    dropped = [f"{count} rows were dropped for a {why}" for why, count in analysis["dropped"].items()]
    ignored = ", ".join(_code(column) for column in analysis["ignored_columns"]) or "none"
    classes = [
        [_code(entry["label"]), str(entry["training"]), str(entry["validation"])] for entry in analysis["classes"]
    ]
    words = analysis["words"]
    quantiles = [[f"{float(share):.0%}", f"{count:g}"] for share, count in words["quantiles"].items()]
    return [
        ("text", f"## The data set\n\n{analysis['rows']} rows. {'; '.join(dropped)}."),
        (
            "text",
            f"The target is {_code(analysis['target_column'])}, and the text is taken from "
            f"{_code(analysis['text_column'])}. Columns that are ignored: {ignored}.",
        ),
        (
            "text",
            f"The problem type is {analysis['problem_type']}, and candidates are compared by {analysis['objective']} "
            f"on {analysis['validation_rows']} rows that none of them sees in training (seed {analysis['seed']}).",
        ),
        ("code", _READ.format(output=output)),
        ("text", f"## Classes\n\n{_table(['class', 'rows to train on', 'rows to validate'], classes)}"),
        ("code", _CLASSES),
        (
            "text",
            f"## Words\n\nThe texts have {words['mean']:g} words on average.\n\n"
            f"{_table(['share', 'words'], quantiles)}",
        ),
        ("code", _WORDS),
        ("text", "## Duplicates"),
        ("code", _DUPLICATES),
    ]


def _definition(analysis: dict[str, Any], output: str) -> list[tuple[str, str]]:
    cells = [
        (
            "text",
            f"Each candidate puts a classifier for {len(analysis['classes'])} classes on top of the encoder "
            f"`{analysis['base_model']}`. They are trained one after the other, cheapest first, and compared by "
            f"{analysis['objective']} on the same {analysis['validation_rows']} rows.",
        ),
        ("code", _READ.format(output=output)),
    ]
    for name in analysis["candidates"]:
        kind = named(name)
        assert kind is not None
        settings = json.dumps(kind.hyperparameters, indent=4)
        cells.append(("text", f"## {kind.title}\n\n{kind.summary}"))
        cells.append(("code", f"{name.replace('-', '_')} = {settings}\n"))
    return [*cells, ("text", "## Leader board"), ("code", _BOARD), ("text", "## Training one again"), ("code", _AGAIN)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, [":---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    """Format a name or a label for a line or a table's cell of Markdown."""
    shown = " ".join(text.split()).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`"


def _notebook(title: str, cells: Sequence[tuple[str, str]]) -> str:
    made = [v4.new_markdown_cell(f"# {title}", id="title")]  # type: ignore[no-untyped-call]
    for place, (kind, source) in enumerate(cells):
        new = v4.new_code_cell if kind == "code" else v4.new_markdown_cell
        made.append(new(source, id=f"cell-{place}"))  # type: ignore[no-untyped-call]
    notebook = v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=made,
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
    )
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook))  # type: ignore[no-untyped-call]
