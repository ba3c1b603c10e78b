"""
Kill at random what the stack consists of, while the whole chain runs on it, and see whether anything is lost.

    python -m benchmarks.chaos --seed 11 --kills 200         # 45 to 60 minutes; the record is .local/chaos-11.json
    python -m benchmarks.chaos --seed 11 --kills 20 --spacing 2 10

Starts a stack of its own in a temporary folder, on free ports. ``ingest_reviews`` runs on a sample of the reviews, a
row more each time, and sets off ``train_sentiment`` by its Asset; again and again until the kills are used up. Each
kill is a SIGKILL to one process of a random kind, see :data:`benchmarks.chaos.kills.KINDS`. After a part of the stack
was killed, and only then, ``python -m stack up`` is run, as a person or a cron would, and again until it succeeds; the
others are killed meanwhile.

After each run, with nothing killed meanwhile, :mod:`benchmarks.chaos.checks` looks for what must not be:

* a run, or a task of it, that is not green, of whatever DAG; an ingest that set off none or two trainings;
* **two jobs for one result**: a job that is neither the one that the task reported nor failed because its own
  supervisor or script was killed. A killed job has failed on AWS's terms too, and the task's retry makes the next
  attempt: that one is no second job for the same result. As a DAG retries a failed job twice, no task's script is
  killed more often than that in one run;
* not exactly one version in the model registry for the trained model; an endpoint that is not in service with what the
  run deployed;
* a process that no living part of the stack accounts for;
* an object that a task reported, or that an earlier look at S3 found, and that is gone or another.

The exit status is 1 if there was any. Then the stack's folder is kept, and the record has all kills and what was found.
``--full`` takes 20,000 reviews and three epochs in place of the sample.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks.chaos.campaign import Campaign
from benchmarks.chaos.kills import KINDS, Record, say
from stack import processes, services
from stack.demo import FAST
from stack.layout import ROOT, Stack


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def by_command(stack: Stack) -> Callable[[], str | None]:
    """``python -m stack up``, as ``make up`` has it."""
    environment = {
        **os.environ,
        **stack.settings,
        "STACK_HOME": str(stack.home),
        "LOCALAWS_PORT": str(stack.localaws_port),
        "AIRFLOW_PORT": str(stack.airflow_port),
    }

    def up() -> str | None:
        command = [stack.airflow_python, "-m", "stack", "up"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
        return None if done.returncode == 0 else (done.stdout + done.stderr).strip()[-3000:] or str(done.returncode)

    return up


def show(record: Record) -> None:
    """Print the summary, in Markdown."""
    kinds = Counter(kill["kind"] for kill in record.kills)
    ended = [run for run in record.runs if not run.get("faults", True)]
    longest = max((up["seconds"] for up in record.ups if up["problem"] is None), default=0)
    print(f"# {len(record.kills)} kills over {len(record.runs)} runs of the chain, seed {record.seed}\n")
    print("| killed | times |\n|---|---:|")
    for kind in KINDS:
        print(f"| {kind} | {kinds[kind]} |")
    print(
        f"\n{len(ended)} of {len(record.runs)} runs green, with one job a task, one result, and nothing lost or left."
    )
    print(f"`stack up` ran {len(record.ups)} times, {longest:.0f} s at most.")
    for fault in record.faults:
        print(f"\n**{fault}**")


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign; the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.chaos", description="Kill at random, and see what is lost.")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--spacing", type=float, nargs=2, default=(2, 60), help="least and most seconds between two")
    parser.add_argument("--full", action="store_true", help="20,000 reviews, three epochs")
    parser.add_argument("--keep", action="store_true", help="leave the stack's folder, whatever was found")
    options = parser.parse_args(arguments)
    given = Stack.from_environment().settings
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    settings = {**({} if options.full else FAST), **given}
    stack = Stack(home / "stack", free_port(), free_port(), settings=settings)
    say(f"seed {options.seed}, in {home}, ports {stack.localaws_port} and {stack.airflow_port}")
    up = by_command(stack)
    reviews = 20_000 if options.full else int(settings["REVIEWS_MAX_REVIEWS"])
    campaign = Campaign(
        stack, up=up, seed=options.seed, kills=options.kills, spacing=tuple(options.spacing), reviews=reviews
    )
    try:
        if problem := up():
            campaign.record.faults.append(f"the stack did not start: {problem}")
        else:
            campaign.run()
    finally:
        services.down(stack, say)
        campaign.record.faults += [f"left running: {process}" for process in processes.belonging(stack)]
        target = ROOT / ".local" / f"chaos-{options.seed}.json"
        target.write_text(json.dumps({"arguments": vars(options), **asdict(campaign.record)}, indent=1, default=str))
        say(f"record: {target}")
        if campaign.record.faults or options.keep:
            say(f"logs and data: {home}")
        else:
            shutil.rmtree(home)
    show(campaign.record)
    return 1 if campaign.record.faults else 0


if __name__ == "__main__":
    sys.exit(main())
