"""
What ``kill -9`` of localaws right after an answer costs: workers answer through the portal, signed in by Cognito, and
each answer that was acknowledged must be in the store and, in the end, in S3.

    python -m benchmarks.human_review_kills [--kills 100] [--workers 4]

Prints Markdown; exits with 1 where an answer is lost. Runs in the jobs environment. :mod:`benchmarks.human_review` does
the same to a process that has the engine alone, and :mod:`benchmarks.human_review_portal` times the portal.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time

from benchmarks.human_review import Line, table
from benchmarks.human_review_portal import FLOW, Visitor, office

from human_kit import Humans, label  # isort: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    chosen = parser.parse_args()
    with office(chosen.workers) as humans:
        arn = humans.flow(FLOW)
        for number in range(chosen.kills + 20):
            humans.start(f"loop-{number}", arn)
        people = [Visitor(humans.server, f"w{number}") for number in range(chosen.workers)]
        lines, lost = kills(humans, people, chosen.kills)
    table("Kills of localaws", lines)
    sys.exit(1 if lost else 0)


def kills(humans: Humans, people: list[Visitor], count: int) -> tuple[list[Line], int]:
    """Kill the server as soon as an answer was acknowledged, and look for the answer when it is back."""
    chance = random.Random(13)
    acknowledged: dict[str, str] = {}
    for number in range(count):
        visitor = people[number % len(people)]
        place, csrf = visitor.take()
        visitor.submit(place, csrf)
        time.sleep(chance.choice((0.0, chance.random() * 0.05)))
        humans.server.kill()
        acknowledged[place.rpartition("/")[2]] = place
        humans.server.restart()
        for each in people:
            each.moved()
    with humans.ctx.store.transaction() as connection:
        kept = dict(connection.execute("SELECT id, answer FROM seat WHERE status = 'answered'").fetchall())
        names = dict(connection.execute("SELECT id, loop_name FROM seat").fetchall())
    lost = [seat for seat in acknowledged if json.loads(kept.get(seat, "null")) != label("1")]
    unfinished = [
        seat
        for seat in acknowledged
        if seat not in lost
        and (humans.ended(names[seat])["HumanLoopStatus"], _label(humans, names[seat]))
        != (
            "Completed",
            label("1"),
        )
    ]
    return [
        (f"answers acknowledged, each before one of {count} kills of localaws", str(len(acknowledged)), ""),
        ("of these, answers that are lost", str(len(lost)), "0"),
        ("of these, loops that are not Completed with the answer in S3", str(len(unfinished)), "0"),
    ], len(lost) + len(unfinished)


def _label(humans: Humans, name: str) -> object:
    return humans.output(name)["humanAnswers"][0]["answerContent"]


if __name__ == "__main__":
    main()
