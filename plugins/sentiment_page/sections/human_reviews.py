"""Human reviews: what waits for people, and what they said before."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from amazon_ml.human_loops import has_ended, list_request
from amazon_ml.naming import loop_name
from amazon_ml.parallel import mapped
from include import paths
from sentiment_page.aws import THREADS, Aws, NothingYet, newest
from sentiment_page.charts import Bars, bars

#: the flow definitions that human_review makes (:mod:`include.human_review.backends.a2i`), and the folder of what a run
#: asks by them. One cannot be changed: with other settings there is another, with a digest behind its name.
FLOWS = {"sentiment-reviewers": "items", "sentiment-referees": "ties"}
_FLOW = re.compile(f"({'|'.join(FLOWS)})(-[0-9a-f]+)?")
#: days that are looked back for open loops: AWS keeps none open for longer than ten.
DAYS = 14
#: characters of a review.
MOST_CHARACTERS = 160
#: flow definitions that are looked through, loops of each that are counted; open ones and batches that are shown.
MOST_FLOWS, MOST_LOOPS, MOST_OPEN, MOST_BATCHES = 100, 1000, 20, 5


def read(aws: Aws) -> dict[str, Any]:
    """Return the open loops of both flows with their reviews, and the last reports of labels."""
    since = (datetime.now(UTC) - timedelta(days=DAYS)).timestamp()
    flows = _flows(aws)
    loops = [loop for found in mapped(lambda arn: _loops(aws, arn, since), flows, THREADS) for loop in found]
    open_loops = sorted((loop for loop in loops if not has_ended(loop)), key=lambda loop: loop["CreationTime"])
    runs = newest(aws.folders(paths.HUMAN_REVIEW_REPORTS), MOST_BATCHES)
    batches = [found for found in mapped(lambda run: _labels(aws, run), runs, THREADS) if found]
    if not loops and not batches:
        raise NothingYet("Nobody was asked yet: run human_review, after train_sentiment.")
    texts = _texts(aws, runs, flows) if open_loops else {}
    said = "; ".join(f"{each['batch']} {each['labelled']} of {each['asked']}" for each in batches)
    return {
        "open": [
            {
                "created": loop["CreationTime"],
                "text": texts.get(loop["HumanLoopName"], ""),
                "flow": flows[loop["FlowDefinitionArn"]],
            }
            for loop in open_loops[:MOST_OPEN]
        ],
        "open_count": len(open_loops),
        "ended": len(loops) - len(open_loops),
        "days": DAYS,
        "batches": batches,
        "chart": bars(
            "Reviews with a label by people, of those asked about",
            said,
            [
                Bars(
                    each["batch"],
                    f"{each['labelled']} of {each['asked']}",
                    [("positive", each["labelled"]), ("rest", each["asked"] - each["labelled"])],
                )
                for each in batches
            ],
        )
        if batches
        else "",
    }


def _flows(aws: Aws) -> dict[str, str]:
    """Return the ARNs of the flow definitions of human_review, and which of :data:`FLOWS` each is."""
    listed = islice(aws.sagemaker.flow_definitions(), MOST_FLOWS)
    matched = ((each["FlowDefinitionArn"], _FLOW.fullmatch(each["FlowDefinitionName"])) for each in listed)
    return {arn: match[1] for arn, match in matched if match}


def _loops(aws: Aws, arn: str, since: float) -> list[dict[str, Any]]:
    request = {**list_request(arn, since), "SortOrder": "Descending"}
    found = (loop for page in aws.loops.loop_pages(request) for loop in page["HumanLoopSummaries"])
    return [{**loop, "FlowDefinitionArn": arn} for loop in islice(found, MOST_LOOPS)]


def _labels(aws: Aws, run: str) -> dict[str, Any] | None:
    """Return what came of a batch; None where people are still being asked."""
    report = aws.json(f"{paths.HUMAN_REVIEW_REPORTS}/{run}/labels/report.json")
    if report is None:
        return None
    model = report["model"].get("control") or report["model"]["all"]
    named = {name: report[name] for name in ("batch", "asked", "answers", "labelled", "synthetic")}
    return {**named, "accuracy": model["accuracy"], "of": "control share" if "control" in report["model"] else "all"}


def _texts(aws: Aws, runs: list[str], flows: Mapping[str, str]) -> dict[str, str]:
    """Return the reviews of the newest runs by the names of their loops."""
    found: dict[str, str] = {}
    for run in runs:
        for file in FLOWS.values():
            items = list(aws.lines(f"{paths.HUMAN_REVIEW}/{run}/{file}/items.jsonl"))
            for arn in (arn for arn, flow in flows.items() if FLOWS[flow] == file):
                found |= {loop_name(arn, str(item["id"]), run): _text(item["input"]) for item in items}
    return found


def _text(given: dict[str, Any]) -> str:
    """Return title and body on one line, as much of them as tells the review apart."""
    text = ". ".join(part for part in (given.get("title", ""), given.get("body", "")) if part)
    return textwrap.shorten(
        text or str(given.get("taskObject", "")), MOST_CHARACTERS, placeholder=" \N{HORIZONTAL ELLIPSIS}"
    )
