"""What the sections of the page show, of an account in which DAGs have run, of an empty one, and of one that denies."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from sentiment_page_kit import EARLIER, RUN, Account

from include import paths
from sentiment_page.aws import MAX_BYTES, NothingYet, Unreadable, newest
from sentiment_page.loading import explain
from sentiment_page.rendering import render
from sentiment_page.sections import OTHER_WINDOWS, SECTIONS

HOSTILE = """<img src=x onerror=alert(1)>"'><script>alert(2)</script>"""


class Tags(HTMLParser):
    """The elements of a fragment with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(html)

    @property
    def attributes(self) -> set[str]:
        return {name for _, attributes in self.found for name, _ in attributes}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


def read(name: str, account: Account | None = None) -> dict[str, Any]:
    return SECTIONS[name].read((account or Account.filled()).aws())


def shown(name: str, account: Account) -> str:
    section = (SECTIONS | OTHER_WINDOWS)[name]
    return render(f"sections/{section.template}", **section.read(account.aws()))


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_names_the_dag_that_fills_it(name: str) -> None:
    with pytest.raises(NothingYet) as nothing:
        read(name, Account.empty())
    assert re.search(r": run [a-z_]+(, after .+)?\.$", str(nothing.value)), str(nothing.value)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_names_the_operation_that_is_denied(name: str) -> None:
    with pytest.raises(Exception, match="AccessDenied") as denied:
        read(name, Account.denied())
    assert re.match(r"AWS denies [a-z_0-9]+ \(AccessDeniedException\): ", explain(denied.value))


@pytest.mark.parametrize("name", [*SECTIONS, *OTHER_WINDOWS])
def test_texts_from_outside_are_escaped(name: str) -> None:
    html = shown(name, Account.filled(HOSTILE))
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    tags = Tags(html)
    assert not {"img", "script"} & {tag for tag, _ in tags.found}
    assert "onerror" not in tags.attributes


@pytest.mark.parametrize("name", SECTIONS)
def test_every_chart_has_a_title_and_a_description(name: str) -> None:
    html = shown(name, Account.filled())
    charts = re.findall(r'<svg class="chart" role="img"[^>]* aria-labelledby="(c\d+t) (c\d+d)">', html)
    assert charts
    for title, description in charts:
        assert re.search(rf'<title id="{title}">[^<]+</title><desc id="{description}">[^<]+</desc>', html)


@pytest.mark.parametrize("name", SECTIONS)
def test_nothing_is_styled_inline(name: str) -> None:
    """The policy of the page would leave it out."""
    attributes = Tags(shown(name, Account.filled())).attributes
    assert "class" in attributes
    assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_the_class_balance_is_counted_by_the_report() -> None:
    found = read("data")
    assert found["rows"] == 22626
    assert [(name, count, round(share, 3)) for name, count, share in found["sentiments"]] == [
        ("negative", 2370, 0.105),
        ("neutral", 2823, 0.125),
        ("positive", 17433, 0.77),
    ]
    assert "SYNTHETIC" in shown("data", Account.filled())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/home/me/reviews.csv", "reviews.csv"),
        ("C:\\me\\reviews.csv", "reviews.csv"),
        ("s3://bucket/raw/reviews.csv", "s3://bucket/raw/reviews.csv"),
        ("https://me:pw@host/reviews.csv?X-Amz-Signature=abc", "https://host/reviews.csv"),
        ("", ""),
    ],
)
def test_a_source_is_shown_without_folder_and_keys(source: str, expected: str) -> None:
    account = Account.filled()
    account.put(paths.ORIGIN, {"source": source})
    assert read("data", account)["source"] == expected


def test_bias_is_shown_before_and_after_balancing() -> None:
    found = read("bias")
    assert {row["category"]: row["CI"] for row in found["rows"]} == {"Dresses": (0.47, 0.75), "Lounge": (0.47, None)}
    assert found["left_out"] == ["Lounge"]


def test_bias_is_shown_before_there_are_balanced_reviews() -> None:
    account = Account.filled()
    del account.objects[f"{paths.BIAS}/after/analysis.json"]
    found = read("bias", account)
    assert not found["balanced"]
    assert found["rows"][0]["DPL"] == (0.05, None)
    assert "There are no balanced reviews yet" in shown("bias", account)


def test_the_champion_is_the_newest_approved_version() -> None:
    found = read("champion")
    assert (found["version"], found["serves"], found["synthetic"]) == (3, True, True)
    assert found["figures"] == {"accuracy": 0.871, "macro_f1": 0.702}


def test_the_lineage_leads_from_data_to_endpoint() -> None:
    rows = read("champion")["lineage"]["rows"]
    assert [(row["kind"], row["name"], row["made_from"]) for row in rows] == [
        ("data", "Dresses/train", []),
        ("training job", "train-1", ["Dresses/train"]),
        ("model", "output/model.tar.gz", ["train-1"]),
        ("registered version", "sentiment/3", ["output/model.tar.gz"]),
        ("endpoint", "sentiment", ["sentiment/3"]),
    ]


def test_of_a_long_lineage_the_nearest_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentiment_page.sections.champion.MOST", 3)
    lineage = read("champion")["lineage"]
    assert (lineage["drawn"], len(lineage["rows"])) == (3, 5)
    assert lineage["chart"].count("<circle") == 3
    assert "model output/model.tar.gz; registered version sentiment/3; endpoint sentiment</desc>" in lineage["chart"]
    assert "(all 5; the nearest 3 are drawn)" in shown("champion", Account.filled())


def test_a_version_without_lineage_says_so() -> None:
    account = Account.filled()
    account.answers["sagemaker"]["list_artifacts"] = {"ArtifactSummaries": []}
    assert read("champion", account)["lineage"] is None
    assert "has not tracked the lineage" in shown("champion", account)


def test_the_endpoint_is_shown_by_variant() -> None:
    (endpoint,) = read("endpoint")["endpoints"]
    variants = {each["name"]: each for each in endpoint["variants"]}
    assert (endpoint["name"], endpoint["status"]) == ("sentiment", "InService")
    assert (variants["champion"]["share"], variants["challenger"]["share"]) == (0.9, 0.1)
    assert variants["champion"]["requests"] == 72
    assert variants["champion"]["latency_ms"] == (39.0, 1200.0)
    # It had requests, and is no longer there.
    assert variants["Dresses"]["share"] is None


def test_an_ab_test_is_shown_by_its_last_look() -> None:
    tests = read("ab-tests")["tests"]
    assert [(test["run"], test["look"], test["decision"]) for test in tests] == [
        (RUN, 2, "challenger"),
        (EARLIER, 1, "champion"),
    ]


def test_open_reviews_are_shown_with_their_texts() -> None:
    found = read("human-reviews")
    assert (found["open_count"], found["ended"]) == (2, 1)
    assert {each["text"] for each in found["open"]} == {"So-so. Runs large. Dresses", ""}
    assert [(each["asked"], each["labelled"], each["accuracy"]) for each in found["batches"]] == [(40, 36, 0.9)]


def test_retrainings_are_shown_with_their_verdicts() -> None:
    found = read("retraining")
    assert [(each["version"], each["status"], each["accuracy"]) for each in found["versions"]] == [
        (3, "approved", 0.83),
        (2, "rejected", 0.82),
        # By the evaluation that it came with.
        (1, "approved", 0.871),
    ]
    assert (found["jobs"][0]["accuracy"], found["jobs"][0]["billable"]) == (0.865, None)
    assert found["executions"][0]["PipelineExecutionStatus"] == "Succeeded"


def test_the_leader_board_is_the_jobs() -> None:
    found = read("leader-board")
    assert [row["model"] for row in found["models"]] == ["fine-tuned", "autopilot-1", "Dresses"]
    assert "May be chance against the first: autopilot-1" in shown("leader-board", Account.filled())


@pytest.mark.parametrize(("content", "why"), [("{", "is not JSON"), (" " * (MAX_BYTES + 1), "bytes, and at most")])
def test_a_report_that_cannot_be_read_is_named(content: str, why: str) -> None:
    account = Account.filled()
    account.put(f"{paths.LEADER_BOARD}/leader_board.json", content)
    with pytest.raises(Unreadable) as unreadable:
        read("leader-board", account)
    assert f"{paths.LEADER_BOARD}/leader_board.json {why}" in re.sub(r"has [\d,]+ ", "", explain(unreadable.value))


def test_runs_are_ordered_by_their_time() -> None:
    names = [
        "manual__2026-11-30T093812.1_0000",
        "demo__2026-11-30T10-00-00",
        "mine",
        "scheduled__2026-11-29T000000_0000",
    ]
    assert newest(names, 3) == ["demo__2026-11-30T10-00-00", names[0], names[3]]
