"""
Processing job: the test split -> labelled traffic for an A/B test, as JSON lines of ``{"id", "body"}``.

Reads the Parquet parts of the features job's test split in ``INPUT/test/``. Writes::

    OUTPUT/requests/look-<number>/requests.jsonl    the split in random order, each review once, shared out to the looks
    OUTPUT/requests/health-<number>/requests.jsonl  for each step of a shift, drawn from the split
    OUTPUT/requests/load/requests.jsonl             drawn from the split, for a while of load
    OUTPUT/report/report.json                       {"reviews", "looks": [reviews of each], "health", "load",
                                                     "synthetic"}

An id is that of a review; a review that is asked about again has ``#`` and a number behind it. A body is one line of
``application/jsonlines``: ``{"features": [text]}``.

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from job import BadInput, is_synthetic, processing_parser, run, write_files
from split_rows import rows

Review = tuple[str, str]
#: reviews that a look needs by design. Of 20 that are drawn, a variant gets fewer than two once in 25,000 looks.
LEAST = {"random": 20, "paired": 2}


def read_reviews(folder: Path) -> list[Review]:
    """Read review_id and text of the split. :raises BadInput: there are no such Parquet parts, or no rows."""
    found = sorted((str(review_id), text) for review_id, text in rows(folder, "review_id", "review_body"))
    if not found:
        raise BadInput(f"there is no test split with reviews in {folder}")
    return found


def as_lines(reviews: Iterable[Review]) -> bytes:
    """Return the requests of a file, a line of JSON each."""
    lines = ({"id": name, "body": json.dumps({"features": [text]})} for name, text in reviews)
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def work(source: Path, target: Path, plan: dict[str, int], design: str, synthetic: bool) -> dict[str, Any]:
    """
    Write the traffic below ``target``; the report.

    :param plan: ``reviews`` at most (0: all), ``looks``, ``steps`` with ``health`` requests each, ``load`` requests,
        and the ``seed``.
    :param design: of the experiment: "random" or "paired".
    :raises BadInput: there are too few reviews for the looks.
    """
    reviews = read_reviews(source / "test")
    generator = np.random.default_rng(plan["seed"])
    order = generator.permutation(len(reviews))[: plan["reviews"] or None]
    looks = [[reviews[at] for at in part] for part in np.array_split(order, plan["looks"])]
    least = LEAST[design] * plan["looks"]
    if len(order) < least:
        raise BadInput(
            f"{len(order)} reviews are too few for {plan['looks']} looks of a {design} design: it takes {least}"
        )

    def drawn(count: int) -> list[Review]:
        places = generator.integers(len(reviews), size=count)
        return [(f"{reviews[at][0]}#{number}", reviews[at][1]) for number, at in enumerate(places, 1)]

    files = {f"look-{number}": as_lines(part) for number, part in enumerate(looks, 1)}
    files |= {f"health-{number}": as_lines(drawn(plan["health"])) for number in range(1, plan["steps"] + 1)}
    files["load"] = as_lines(drawn(plan["load"]))
    for name, content in files.items():
        write_files(target / "requests" / name, {"requests.jsonl": content})
    report = {"reviews": len(order), "looks": [len(part) for part in looks]}
    report |= {"health": plan["health"], "load": plan["load"], "synthetic": synthetic}
    write_files(target / "report", {"report.json": (json.dumps(report, indent=2) + "\n").encode()})
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("the test split -> labelled traffic for an A/B test")
    defaults = {"reviews": 0, "looks": 3, "steps": 3, "health": 50, "load": 500, "seed": 42}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--design", choices=sorted(LEAST), default="random")
    options = parser.parse_args(arguments)

    def job() -> None:
        plan = {name: getattr(options, name) for name in defaults}
        print(json.dumps(work(options.input, options.output, plan, options.design, is_synthetic(options))))

    return run("ab_requests", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
