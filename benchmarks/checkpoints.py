"""
The train job's checkpoints against those of Hugging Face's accelerate: import, writing, reading, and how many files.

    pip install accelerate && python -m benchmarks.checkpoints     # prints Markdown

Both keep the same: MiniLM with a classifier, AdamW with its moments, a schedule, and the random state. accelerate is in
AWS's images and not among this project's requirements.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.features import MODEL
from benchmarks.job_code import bundle
from benchmarks.local import offline_hub

ROUNDS = 5
#: processor time of an import, in a process that has torch and transformers already.
IMPORT = """
import time, torch, transformers
from transformers import AutoModelForSequenceClassification
began = time.process_time()
{code}
print(time.process_time() - began)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        offline_hub()
        # After offline_hub(): its settings are read at the import.
        sys.path.insert(0, str(bundle("train")))
        checkpoints = importlib.import_module("checkpoints")
        from accelerate import Accelerator, __version__
        from transformers import AutoModelForSequenceClassification

        model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=3)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer)
        model(input_ids=torch.ones(2, 8, dtype=torch.long), labels=torch.tensor([0, 1])).loss.backward()
        optimizer.step()
        schedule.step()
        accelerator = Accelerator(cpu=True)
        parts = accelerator.prepare(model, optimizer, schedule)

        def write() -> None:
            states = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            checkpoints.write(
                folder / "ours", {}, checkpoints.Progress(), {**states, "schedule": schedule.state_dict()}
            )

        def read() -> None:
            state = checkpoints.read(folder / "ours", {})
            for part in ("model", "optimizer", "schedule"):
                {"model": model, "optimizer": optimizer, "schedule": schedule}[part].load_state_dict(state[part])

        assert len(parts) == 3
        theirs = folder / "theirs"
        rows = {
            "accelerate's `save_state`, `load_state`": (
                lambda: accelerator.save_state(str(theirs)),
                lambda: accelerator.load_state(str(theirs)),
                theirs,
                "import accelerate; accelerate.Accelerator(cpu=True)",
            ),
            "**the train job's**": (write, read, folder / "ours", ""),
        }
        print("# Checkpoints\n")
        print(f"The train job's checkpoint against that of accelerate {__version__}: MiniLM, AdamW, a schedule, random")
        print(f"state. Processor seconds, best of {ROUNDS} rounds in turns.\n")
        print("| | import | write | read | MB | files, replaced at once |\n|---|---:|---:|---:|---:|---|")
        for title, figures in measured(rows).items():
            print(f"| {title} | {figures} |")


def measured(rows: dict[str, tuple[Callable[[], Any], Callable[[], Any], Path, str]]) -> dict[str, str]:
    times: dict[str, list[tuple[float, float]]] = {title: [] for title in rows}
    for _ in range(ROUNDS):
        for title, (write, read, _, _) in rows.items():
            times[title].append((spent(write), spent(read)))
    found = {}
    for title, (_, _, folder, code) in rows.items():
        writing, reading = (min(each) for each in zip(*times[title], strict=True))
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        at_once = "yes" if len(files) == 1 else "no"
        found[title] = f"{imported(code):.2f} | {writing:.2f} | {reading:.2f} | {size:.0f} | {len(files)}, {at_once}"
    return found


def imported(code: str) -> float:
    if not code:
        return 0.0
    text = IMPORT.format(code=code)
    runs = [subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, check=True) for _ in "123"]
    return min(float(run.stdout) for run in runs)


def spent(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
