"""Human task UIs: templates by name, and how they look to a worker."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from human_kit import BUCKET, ROLE, TEMPLATE, Humans
from localaws_kit import LocalAws


@pytest.fixture(scope="module")
def humans(localaws: LocalAws) -> Humans:
    return Humans(localaws)


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def _render(humans: Humans, template: str, **given: Any) -> dict[str, Any]:
    answer: dict[str, Any] = humans.sagemaker.render_ui_template(
        UiTemplate={"Content": template}, Task={"Input": json.dumps(given)}, RoleArn=ROLE
    )
    return answer


def test_a_template_is_described_by_its_digest_and_a_url_that_reads_it(humans: Humans) -> None:
    arn = humans.ui("described")
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:human-task-ui/described"
    described = humans.sagemaker.describe_human_task_ui(HumanTaskUiName="described")
    assert (described["HumanTaskUiArn"], described["HumanTaskUiStatus"]) == (arn, "Active")
    assert described["UiTemplate"]["ContentSha256"] == hashlib.sha256(TEMPLATE.encode()).hexdigest()
    with urllib.request.urlopen(described["UiTemplate"]["Url"]) as answer:
        assert answer.read().decode() == TEMPLATE
        # A template is never a page of the gateway's own address.
        assert answer.headers["Content-Type"].startswith("text/plain")


def test_the_url_of_a_template_needs_its_signature(humans: Humans) -> None:
    humans.ui("signed")
    url = humans.sagemaker.describe_human_task_ui(HumanTaskUiName="signed")["UiTemplate"]["Url"]
    for forged in (url.partition("?")[0], url[:-1] + ("0" if url[-1] != "0" else "1")):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(forged)
        assert error.value.code == 403


def test_uis_are_listed_page_by_page_in_order_of_time(humans: Humans) -> None:
    names = [f"listed-{number}" for number in range(3)]
    for name in names:
        humans.ui(name)
    pages = humans.sagemaker.get_paginator("list_human_task_uis").paginate(PaginationConfig={"PageSize": 2})
    found = [each["HumanTaskUiName"] for page in pages for each in page["HumanTaskUiSummaries"]]
    assert [name for name in found if name in names] == names[::-1]
    oldest = humans.sagemaker.list_human_task_uis(SortOrder="Ascending", MaxResults=100)["HumanTaskUiSummaries"]
    assert [each["HumanTaskUiName"] for each in oldest if each["HumanTaskUiName"] in names] == names


def test_a_deleted_ui_is_gone_with_its_tags(humans: Humans) -> None:
    made = humans.sagemaker.create_human_task_ui(
        HumanTaskUiName="short", UiTemplate={"Content": TEMPLATE}, Tags=[{"Key": "ttl", "Value": "1h"}]
    )
    assert humans.sagemaker.list_tags(ResourceArn=made["HumanTaskUiArn"])["Tags"] == [{"Key": "ttl", "Value": "1h"}]
    humans.sagemaker.delete_human_task_ui(HumanTaskUiName="short")
    for call in (humans.sagemaker.describe_human_task_ui, humans.sagemaker.delete_human_task_ui):
        with pytest.raises(ClientError) as error:
            call(HumanTaskUiName="short")
        assert _code(error) == "ResourceNotFound"
    with pytest.raises(ClientError):
        humans.sagemaker.list_tags(ResourceArn=made["HumanTaskUiArn"])


def test_a_name_is_taken_once(humans: Humans) -> None:
    humans.ui("taken")
    with pytest.raises(ClientError) as error:
        humans.ui("taken")
    assert _code(error) == "ResourceInUse"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("<crowd-form>{{ task.input.text </crowd-form>", "not valid Liquid"),
        ("<crowd-form>{% for x in task.input.list %}</crowd-form>", "not valid Liquid"),
        ("<crowd-form>{% include 'other' %}</crowd-form>", "include"),
        ("<p>{{ task.input.text }}</p>", "<crowd-form>"),
    ],
)
def test_a_template_that_nobody_could_answer_is_refused(humans: Humans, template: str, words: str) -> None:
    with pytest.raises(ClientError, match=words) as error:
        humans.ui("refused", template)
    assert _code(error) == "ValidationException"
    with pytest.raises(ClientError):
        humans.sagemaker.describe_human_task_ui(HumanTaskUiName="refused")


def test_a_template_is_rendered_for_a_task(humans: Humans) -> None:
    answer = _render(humans, TEMPLATE, initialValue="0", taskObject="1 < 2 & <script>alert('x')</script>")
    assert answer["Errors"] == []
    assert 'initial-value="0"' in answer["RenderedContent"]
    assert "1 &lt; 2 &amp; &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in answer["RenderedContent"]


def test_a_ui_is_rendered_by_its_arn(humans: Humans) -> None:
    arn = humans.ui("by-arn")
    task = {"Input": json.dumps({"taskObject": "Fits well"})}
    answer = humans.sagemaker.render_ui_template(HumanTaskUiArn=arn, Task=task, RoleArn=ROLE)
    assert "Fits well" in answer["RenderedContent"]
    with pytest.raises(ClientError) as error:
        humans.sagemaker.render_ui_template(HumanTaskUiArn=arn + "-not", Task=task, RoleArn=ROLE)
    assert _code(error) == "ResourceNotFound"


@pytest.mark.parametrize("template", ["{{ broken", "{{ task.input.x | nofilter }}", "<p>no form</p>"])
def test_what_is_wrong_with_a_template_is_in_errors(humans: Humans, template: str) -> None:
    (error,) = _render(humans, template)["Errors"]
    assert error["Code"] in {"TemplateSyntaxError", "TemplateRenderingError", "MissingFormElement"}
    assert error["Message"]


@pytest.mark.parametrize("given", [{}, {"UiTemplate": {"Content": "<form></form>"}, "HumanTaskUiArn": "arn"}])
def test_a_template_and_an_arn_exclude_each_other(humans: Humans, given: dict[str, Any]) -> None:
    if "HumanTaskUiArn" in given:
        given = {**given, "HumanTaskUiArn": humans.ui("both")}
    with pytest.raises(ClientError, match="exactly one of") as error:
        humans.sagemaker.render_ui_template(Task={"Input": "{}"}, RoleArn=ROLE, **given)
    assert _code(error) == "ValidationException"


def test_a_task_must_be_json(humans: Humans) -> None:
    with pytest.raises(ClientError, match="not valid JSON"):
        humans.sagemaker.render_ui_template(
            UiTemplate={"Content": TEMPLATE}, Task={"Input": "{'single': 1}"}, RoleArn=ROLE
        )


@pytest.mark.parametrize(
    "address",
    [
        f"s3://{BUCKET}/photo of a & b.txt",
        f"https://s3.amazonaws.com/{BUCKET}/photo%20of%20a%20%26%20b.txt",
        f"https://{BUCKET}.s3.eu-west-1.amazonaws.com/photo%20of%20a%20%26%20b.txt",
    ],
)
def test_grant_read_access_makes_an_object_readable_without_keys(humans: Humans, address: str) -> None:
    humans.s3.put_object(Bucket=BUCKET, Key="photo of a & b.txt", Body=b"a photo")
    template = "<crowd-form></crowd-form>|{{ task.input.image | grant_read_access }}|"
    answer = _render(humans, template, image=address)
    url = answer["RenderedContent"].split("|")[1].replace("&amp;", "&")
    assert url.startswith(humans.server.url)
    with urllib.request.urlopen(url) as image:
        assert image.read() == b"a photo"


def test_grant_read_access_leaves_other_addresses_as_they_are(humans: Humans) -> None:
    template = "<crowd-form></crowd-form>|{{ task.input.image | grant_read_access }}|"
    answer = _render(humans, template, image="https://example.com/s3.amazonaws.com/x.png")
    assert answer["RenderedContent"].split("|")[1] == "https://example.com/s3.amazonaws.com/x.png"


def test_a_template_of_endless_loops_ends_and_the_next_one_renders(humans: Humans) -> None:
    loops = "{% for a in (1..1000000000) %}{% for b in (1..1000000000) %}{% endfor %}{% endfor %}"
    (error,) = _render(humans, f"<crowd-form>{loops}</crowd-form>")["Errors"]
    assert error["Code"] == "TemplateRenderingError"
    assert _render(humans, TEMPLATE, taskObject="still here")["Errors"] == []
