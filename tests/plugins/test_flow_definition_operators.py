"""Task UIs and flow definitions: the same content is the same resource, other content another one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from human_review_kit import TEMPLATE, flow, make_team, ui
from operator_kit import BUCKET, ROLE, Airflow, FakeTask

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks.base import ServiceHook
from amazon_ml.naming import loop_name, version_name

OTHER = TEMPLATE.replace("Choose one.", "Choose the one that fits.")


def uis(aws: Any, name: str) -> list[str]:
    found = aws("sagemaker").list_human_task_uis(MaxResults=100)["HumanTaskUiSummaries"]
    return sorted(each["HumanTaskUiName"] for each in found if each["HumanTaskUiName"].startswith(name))


def flows(aws: Any, name: str) -> list[str]:
    found = aws("sagemaker").list_flow_definitions(MaxResults=100)["FlowDefinitionSummaries"]
    return sorted(each["FlowDefinitionName"] for each in found if each["FlowDefinitionName"].startswith(name))


@pytest.fixture
def arns(aws: Any, airflow: Airflow) -> tuple[str, str]:
    """A page, and the team."""
    return airflow.run(ui("page"), FakeTask(task_id="ui"))["arn"], make_team(airflow)


def test_the_same_template_is_the_same_ui_in_every_run(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    made = airflow.run(ui("same", tags={"project": "reviews"}), ti)
    assert made["name"] == "same"
    assert airflow.run(ui("same"), FakeTask(run_id="another run")) == made
    assert uis(aws, "same") == ["same"]
    tags = {tag["Key"]: tag["Value"] for tag in aws("sagemaker").list_tags(ResourceArn=made["arn"])["Tags"]}
    assert tags.keys() == {"airflow:dag_id", "airflow:task_id", "airflow:run_id", "project", "dag", "run", "expires-at"}
    assert tags["expires-at"] == "never", "other runs need it too"


def test_another_template_is_another_ui_under_a_name_that_follows_from_it(
    aws: Any, airflow: Airflow, ti: FakeTask
) -> None:
    airflow.run(ui("versions"), ti)
    changed = airflow.run(ui("versions", OTHER), ti)
    assert changed["name"] == version_name("versions", OTHER)
    assert airflow.run(ui("versions", OTHER), ti.next_try()) == changed
    assert airflow.run(ui("versions"), ti.next_try())["name"] == "versions"
    assert uis(aws, "versions") == sorted(["versions", changed["name"]])


def test_a_template_may_be_a_file_and_is_not_jinjas(aws: Any, airflow: Airflow, ti: FakeTask, tmp_path: Path) -> None:
    file = tmp_path / "page.liquid.html"
    file.write_text(TEMPLATE)
    made = airflow.run(ui("file"), ti)
    assert airflow.run(ui("file", file), ti) == made
    operator = ui("file", file)()
    assert "template" not in operator.template_fields
    with pytest.raises(RequestRefused, match=r"the template of human task UI file: .*No such file"):
        airflow.run(ui("file", tmp_path / "missing.html"), ti)


def test_a_template_that_does_not_parse_fails_with_aws_words(airflow: Airflow, ti: FakeTask, aws: Any) -> None:
    with pytest.raises(RequestRefused, match=r"create_human_task_ui\(broken\): ValidationException: "):
        airflow.run(ui("broken", "<crowd-form>{% if %}</crowd-form>"), ti)


def test_a_template_that_the_sample_does_not_fit_makes_no_ui(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    unfit = TEMPLATE.replace("{{ task.input.text }}", "{{ task.input.text | no_such_filter }}")
    given = {"sample": {"text": "Lovely"}, "role_arn": ROLE}
    with pytest.raises(RequestRefused, match=r"UI sampled, with the sample: .*no_such_filter"):
        airflow.run(ui("sampled", unfit, **given), ti)
    assert uis(aws, "sampled") == []
    assert airflow.run(ui("sampled", **given), ti.next_try())["name"] == "sampled"
    with pytest.raises(ValueError, match="give role_arn"):
        ui("sampled", sample={})()


def test_a_ui_whose_create_had_no_answer_is_found(
    aws: Any, airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ServiceHook._call

    def lose(self: ServiceHook, method: str, **request: Any) -> dict[str, Any]:
        answer = call(self, method, **request)
        # What botocore does when no answer comes: the same again.
        return call(self, method, **request) if method.startswith("create_human_task") else answer

    monkeypatch.setattr(ServiceHook, "_call", lose)
    assert airflow.run(ui("lost"), ti)["name"] == "lost"
    assert uis(aws, "lost") == ["lost"]


def test_a_flow_definition_is_made_and_waited_for_once(
    aws: Any, airflow: Airflow, ti: FakeTask, arns: tuple[str, str]
) -> None:
    make = flow("once", *arns, task_count="2", time_limit=timedelta(minutes=5), keywords=["reviews"])
    assert isinstance(airflow.start(make, ti), TaskDeferred)
    made = airflow.run(make, ti.next_try())
    found = aws("sagemaker").describe_flow_definition(FlowDefinitionName="once")
    assert made == {"name": "once", "arn": found["FlowDefinitionArn"]}
    assert found["FlowDefinitionStatus"] == "Active"
    assert found["RoleArn"] == ROLE
    assert found["OutputConfig"] == {"S3OutputPath": f"s3://{BUCKET}/a2i"}
    assert found["HumanLoopConfig"] == {
        "WorkteamArn": arns[1],
        "HumanTaskUiArn": arns[0],
        "TaskTitle": "Sentiment",
        "TaskDescription": "Say what the writer thinks.",
        "TaskCount": 2,
        "TaskAvailabilityLifetimeInSeconds": 432000,
        "TaskTimeLimitInSeconds": 300,
        "TaskKeywords": ["reviews"],
    }
    airflow.deferrals.clear()
    assert airflow.run(make, FakeTask(run_id="another run")) == made
    assert airflow.deferrals == []


@pytest.mark.parametrize(
    "changes",
    [
        {"task_count": 3},
        {"title": "Another title"},
        {"availability_lifetime": "3600"},
        {"keywords": ["reviews"]},
        {"output_path": f"s3://{BUCKET}/elsewhere"},
        {"role_arn": f"{ROLE}-2"},
    ],
)
def test_other_settings_are_another_flow_definition(
    aws: Any, airflow: Airflow, ti: FakeTask, arns: tuple[str, str], changes: dict[str, Any]
) -> None:
    name = f"set-{next(iter(changes)).replace('_', '-')}"
    first = airflow.run(flow(name, *arns), ti)
    other = airflow.run(flow(name, *arns, **changes), ti)
    assert first["name"] == name and other["name"].startswith(f"{name}-")
    assert airflow.run(flow(name, *arns, **changes), FakeTask(run_id="another run")) == other
    assert airflow.run(flow(name, *arns), ti.next_try()) == first
    assert flows(aws, name) == [name, other["name"]]


def test_a_try_that_died_after_create_leaves_its_flow_definition_to_the_next(
    aws: Any, airflow: Airflow, ti: FakeTask, arns: tuple[str, str]
) -> None:
    class Killed(BaseException):
        pass

    call = ServiceHook._call

    def die(self: ServiceHook, method: str, **request: Any) -> dict[str, Any]:
        answer = call(self, method, **request)
        if method == "create_flow_definition":
            raise Killed
        return answer

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(ServiceHook, "_call", die)
        airflow.run(flow("left", *arns), ti)
    assert airflow.run(flow("left", *arns), ti.next_try())["name"] == "left"
    assert flows(aws, "left") == ["left"]


def test_a_failed_flow_definition_is_made_again_by_the_next_try(
    aws: Any, airflow: Airflow, ti: FakeTask, arns: tuple[str, str]
) -> None:
    make = flow("mended", *arns, output_path="s3://bucket-that-comes-later/a2i")
    with pytest.raises(JobFailed, match=r"Flow definition mended is Failed: S3OutputPath .*bucket-that-comes-later"):
        airflow.run(make, ti)
    aws("s3").create_bucket(Bucket="bucket-that-comes-later")
    assert airflow.run(make, ti.next_try())["name"] == "mended"
    assert flows(aws, "mended") == ["mended"]


def test_a_flow_definition_for_a_page_that_is_not_there_fails_at_once(
    airflow: Airflow, ti: FakeTask, arns: tuple[str, str]
) -> None:
    with pytest.raises(RequestRefused, match=r"create_flow_definition\(nopage\): ValidationException"):
        airflow.run(flow("nopage", f"{arns[0]}-missing", arns[1]), ti)


def test_names_of_versions_are_a2is_and_follow_from_the_content() -> None:
    import re

    longest = version_name("a" * 52 + "-bcd", {"x": 1})
    assert len(longest) <= 63
    for name in (longest, version_name("page", "text")):
        assert re.fullmatch("[a-z0-9](-*[a-z0-9])*", name)
    assert version_name("page", {"b": 1, "a": 2}) == version_name("page", {"a": 2, "b": 1})
    assert version_name("page", "x") != version_name("page", "y")


@pytest.mark.parametrize("item", ["1", "Review 17", "ÄÖ", "x" * 300, "-", "a/b?c"])
def test_names_of_loops_are_a2is_and_one_an_item(item: str) -> None:
    import re

    arn = "arn:aws:sagemaker:us-east-1:1:flow-definition/f"
    name = loop_name(arn, item)
    assert len(name) <= 63 and re.fullmatch("[a-z0-9](-*[a-z0-9])*", name)
    assert name == loop_name(arn, item)
    others = {loop_name(f"{arn}2", item), loop_name(arn, f"{item}!"), loop_name(arn, item, "batch")}
    assert len({name, *others}) == 4
