"""The code that each job ships: its folder in ``include/jobs``, and modules that it shares with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amazon_ml.code_bundle import SourceFolder

JOBS = Path(__file__).parent / "jobs"
#: job -> the modules of ``include/jobs/shared`` that are put beside its script.
SHARED = {
    "ab_compare": ("figures.py", "intervals.py", "job.py", "split_rows.py"),
    "ab_requests": ("job.py", "split_rows.py"),
    "ab_timeline": ("figures.py", "job.py"),
    "autopilot_candidates": ("figures.py", "job.py", "wording.py"),
    "balance": ("held_out.py", "job.py", "model_input.py", "review_body.py", "review_table.py", "split_rows.py"),
    "blazingtext_prepare": ("held_out.py", "job.py", "model_input.py", "review_table.py", "split_rows.py", "tokens.py"),
    "charts": ("job.py",),
    "compare_bias": ("figures.py", "job.py"),
    "compile": (
        "confusion_drawing.py",
        "inference.py",
        "job.py",
        "judging.py",
        "model_archive.py",
        "model_input.py",
        "ngrams.py",
    ),
    "evaluate": ("confusion_drawing.py", "job.py", "judging.py", "model_archive.py"),
    "evaluate_endpoint": ("confusion_drawing.py", "job.py", "judging.py", "review_body.py", "tokens.py"),
    "features": (
        "base_model.py",
        "expectation.py",
        "human_label_table.py",
        "job.py",
        "model_input.py",
        "review_body.py",
        "review_table.py",
    ),
    "human_labels": ("confusion_drawing.py", "figures.py", "human_label_table.py", "intervals.py", "job.py"),
    "leader_board": ("figures.py", "job.py", "wording.py"),
    "lineage_graph": ("job.py",),
    "offline_store": ("job.py",),
    "review_candidates": ("human_label_table.py", "job.py", "review_table.py"),
    "review_selection": ("job.py",),
    "train": ("base_model.py", "inference.py", "job.py", "model_input.py", "ngrams.py"),
    "transform": ("expectation.py", "job.py", "raw_csv.py", "review_body.py", "review_table.py"),
    "tuning_report": ("figures.py", "job.py", "wording.py"),
}


def of(job: str) -> dict[str, Any]:
    """Return where a job's code is, as arguments of a :class:`amazon_ml.specs.job.JobSpec`."""
    return {
        "source_dir": str(JOBS / job),
        "entry_point": f"{job}.py",
        "dependencies": [str(JOBS / "shared" / name) for name in SHARED[job]],
    }


def write(job: str, folder: Path) -> Path:
    """
    Write the code of a job as its container has it, to run it without one; return the path of its script.

    :param folder: made where it is missing.
    """
    where = of(job)
    code = SourceFolder.read(where["source_dir"], where["entry_point"], where["dependencies"])
    for name, content in code.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / str(where["entry_point"])
