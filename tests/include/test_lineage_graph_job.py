"""The picture of a lineage: what it shows, how it is laid out, and what it cannot be made of."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from jobs_kit import files, load, run
from PIL import Image

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
RAW, TRAIN, DEPLOYED, ENDPOINT = (
    f"{ARN}:{kind}" for kind in ("artifact/1", "experiment-trial-component/t", "action/d", "context/e")
)


def vertex(arn: str, kind: str, lineage_type: str, source: str, **properties: str) -> dict[str, Any]:
    return {
        "arn": arn,
        "type": kind,
        "lineage_type": lineage_type,
        "name": "",
        "source": source,
        "properties": properties,
    }


def graph() -> dict[str, Any]:
    """As TraceEndpointOperator writes it."""
    return {
        "endpoint": "sentiment",
        "vertices": [
            vertex(ENDPOINT, "Endpoint", "Context", f"{ARN}:endpoint/sentiment"),
            vertex(DEPLOYED, "ModelDeployment", "Action", f"{ARN}:endpoint/sentiment", EndpointConfigName="config-7"),
            vertex(TRAIN, "TrainingJob", "TrialComponent", f"{ARN}:training-job/train-7"),
            vertex(RAW, "DataSet", "Artifact", "s3://bucket/raw/reviews.csv"),
        ],
        "edges": [
            {"source": DEPLOYED, "destination": ENDPOINT, "type": "AssociatedWith"},
            {"source": TRAIN, "destination": DEPLOYED, "type": "Produced"},
            {"source": RAW, "destination": TRAIN, "type": "ContributedTo"},
        ],
    }


def draw(folder: Path, content: Any, **arguments: Any) -> int:
    path = folder / "in" / "graph" / "graph.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return run("lineage_graph", input=folder / "in", output=folder / "out", reason=folder / "a/b/message", **arguments)


def texts(folder: Path) -> list[str]:
    """The texts of the SVG, in order."""
    root = ET.fromstring((folder / "out/lineage/lineage.svg").read_text())
    return ["".join(each.itertext()).strip() for each in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_picture_says_what_each_entity_is(tmp_path: Path) -> None:
    assert draw(tmp_path, graph()) == 0
    assert files(tmp_path / "out") == ["lineage/lineage.png", "lineage/lineage.svg"]
    said = texts(tmp_path)
    for words in ("ModelDeployment", "config-7", "TrainingJob", "train-7", "DataSet", "bucket/raw/reviews.csv"):
        assert words in said
    assert "What made the endpoint sentiment" in said
    assert not any("SYNTHETIC" in each for each in said)
    picture = Image.open(io.BytesIO((tmp_path / "out/lineage/lineage.png").read_bytes()))
    assert picture.width > 4 * 300, "four layers beside one another"


def test_made_up_reviews_are_marked(tmp_path: Path) -> None:
    assert draw(tmp_path, graph(), synthetic="True") == 0
    assert "SYNTHETIC reviews: What made the endpoint sentiment" in texts(tmp_path)


def test_the_same_graph_gives_the_same_picture(tmp_path: Path) -> None:
    pictures = []
    for name in ("one", "two"):
        assert draw(tmp_path / name, graph()) == 0
        pictures.append([(tmp_path / name / "out/lineage" / f"lineage.{kind}").read_bytes() for kind in ("svg", "png")])
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not a lineage graph"),
        ("[]", "is not a lineage graph"),
        ({"endpoint": "e", "vertices": [{"arn": "x"}], "edges": []}, "is not a lineage graph: KeyError"),
        ({"endpoint": "e", "vertices": [], "edges": []}, "nothing is known about the lineage of e"),
    ],
)
def test_what_is_no_graph_is_refused(
    tmp_path: Path, content: Any, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw(tmp_path, content) == 2
    assert reason in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_several_graphs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in/graph").mkdir(parents=True)
    (tmp_path / "in/graph/other.json").write_text("{}")
    assert draw(tmp_path, graph()) == 2
    assert "must hold one graph in JSON; it holds 2" in capsys.readouterr().err


def test_causes_stand_left_of_effects_and_long_edges_bend_between_the_boxes() -> None:
    layout = load("lineage_graph", "layout").arrange("abcde", [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")])
    depth = {name: number for number, layer in enumerate(layout.layers) for name in layer}
    assert [depth[name] for name in "abcde"] == [2, 1, 0, 1, 0]
    (start, bend, end) = layout.ways["a", "c"]
    assert (start, end, depth[bend]) == ("a", "c", 1)
    assert layout.ways["a", "b"] == ["a", "b"]


def test_a_cycle_is_cut_and_not_walked_for_ever() -> None:
    layout = load("lineage_graph", "layout").arrange("ab", [("a", "b"), ("b", "a"), ("a", "a"), ("a", "unknown")])
    assert layout.layers == [["b"], ["a"]]
    assert list(layout.ways) == [("a", "b")]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (vertex("x", "Approval", "Action", f"{ARN}:model-package/g/1", ModelApprovalStatus="Approved"), "g/1"),
        (vertex("x", "Image", "Artifact", "1.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.6-cpu"), "pytorch|2.6-cpu"),
        (vertex("x", "Code", "Artifact", "s3://b/code/", script="train.py", sha256="0" * 64), f"sha256 {'0' * 16}"),
        (vertex("x", "DataSet", "Artifact", "s3://bucket/a/"), "bucket/a/"),
        (
            vertex("x", "DataSet", "Artifact", "s3://bucket/jobs/dag/train-sentiment-features-0123456789ab/train/"),
            "…/dag/train-sentiment-features-|0123456789ab/train/",
        ),
        (vertex("x", "", "Context", ""), "x"),
    ],
)
def test_labels_keep_what_tells_one_from_another(one: dict[str, Any], words: str) -> None:
    drawing = load("lineage_graph", "drawing")
    _, said = drawing.label(one)
    assert "|".join(said) == words


def test_no_line_is_longer_than_its_box() -> None:
    lines = load("lineage_graph", "drawing").lines
    for text in ("x" * 500, "a-" * 250, "s3://" + "/".join(["part"] * 60)):
        assert len(lines(text)) == 2
        assert all(len(line) <= 34 for line in lines(text))
