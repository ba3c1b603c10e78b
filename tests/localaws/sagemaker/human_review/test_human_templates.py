"""Liquid as worker templates have it: what is escaped, what is allowed, and that no template hangs the server."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.sagemaker.human_review.rendering.parent import Lost, Renderer
from localaws.sagemaker.human_review.templates import s3_place


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer()
    yield made
    made.close()


def _rendered(renderer: Renderer, template: str, **given: Any) -> str:
    answer = renderer.ask(f"<crowd-form>{template}", json.dumps(given), lambda address: f"URL({address})")
    assert answer["problem"] is None, answer["problem"]
    return str(answer["content"]).removeprefix("<crowd-form>")


def _problem(renderer: Renderer, template: str, **given: Any) -> str:
    answer = renderer.ask(f"<crowd-form>{template}", json.dumps(given), str)
    return str(answer["problem"][1])


@pytest.mark.parametrize(
    ("template", "html"),
    [
        ("{{ task.input.text }}", "&lt;b&gt; &amp; &#39;"),
        ('{{ "<b>" }}', "&lt;b&gt;"),
        ('{{ "a" | append: "<br>" }}', "a&lt;br&gt;"),
        ("{{ task.input.text | escape }}", "&lt;b&gt; &amp; &#39;"),
        ('{{ "1 &lt; 2" | escape_once }}', "1 &lt; 2"),
        ("{% capture x %}{{ task.input.text }}{% endcapture %}{{ x }}", "&lt;b&gt; &amp; &#39;"),
        ('{% cycle "<a>", "<b>" %}', "&lt;a&gt;"),
        ("{% echo task.input.text %}", "&lt;b&gt; &amp; &#39;"),
        ('{{ task.input.list | join: "<br>" }}', "&lt;i&gt;&lt;br&gt;b"),
        ("{{ task.input.list }}", "&lt;i&gt;b"),
        ("{{ task.input.text | url_encode | url_decode }}", "&lt;b&gt; &amp; &#39;"),
        ("{{ task.input.text | base64_encode | base64_decode }}", "&lt;b&gt; &amp; &#39;"),
        ("{{ task.input.nothing }}", ""),
    ],
)
def test_values_and_literals_are_escaped(renderer: Renderer, template: str, html: str) -> None:
    assert _rendered(renderer, template, text="<b> & '", list=["<i>", "b"]) == html


def test_skip_autoescape_lets_html_through(renderer: Renderer) -> None:
    assert _rendered(renderer, "{{ task.input.html | skip_autoescape }}", html="<b>bold</b>") == "<b>bold</b>"


def test_to_json_can_stand_in_a_script(renderer: Renderer) -> None:
    value = {"text": "</script><script>alert('x')&\u2028", "list": [1, None, True]}
    html = _rendered(renderer, "{{ task.input.value | to_json }}", value=value)
    assert json.loads(html) == value
    assert not set("<>&'\u2028") & set(html)


def test_to_json_escaped_can_stand_in_an_attribute(renderer: Renderer) -> None:
    html = _rendered(renderer, "{{ task.input.labels | to_json | escape }}", labels=['say "hi"', "b"])
    assert html == "[&#34;say \\&#34;hi\\&#34;&#34;, &#34;b&#34;]"


def test_grant_read_access_takes_an_address_that_capture_put_together(renderer: Renderer) -> None:
    template = "{% capture uri %}s3://{{ task.input.bucket }}/{{ task.input.key }}{% endcapture %}"
    html = _rendered(renderer, template + "{{ uri | grant_read_access }}", bucket="b", key="a & b")
    assert html == "URL(s3://b/a &amp; b)"


@pytest.mark.parametrize("name", ["safe", "escapejs"])
def test_filters_beyond_aws_are_off(renderer: Renderer, name: str) -> None:
    assert "unknown filter" in _problem(renderer, f"{{{{ task.input.x | {name} }}}}")


@pytest.mark.parametrize("tag", ["include", "render"])
def test_templates_read_no_files(renderer: Renderer, tag: str) -> None:
    assert tag in _problem(renderer, f"{{% {tag} '/etc/passwd' %}}")


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in (1..1000000000) %}{% for b in (1..1000000000) %}{% endfor %}{% endfor %}",
        "{% for a in (1..99999) %}{{ task.input.long }}{% endfor %}",
        '{{ task.input.long | replace: "a", task.input.long | replace: "a", task.input.long }}',
        '{{ task.input.long | split: "" | join: task.input.long }}',
        "{{ 1 | divided_by: 0 }}",
    ],
)
def test_a_template_that_asks_too_much_is_told_so(renderer: Renderer, template: str) -> None:
    started = time.monotonic()
    try:
        assert _problem(renderer, template, long="a" * 100_000)
    except Lost as error:
        assert "too long" in str(error)
    assert time.monotonic() - started < 15


def test_a_filter_that_does_not_end_is_ended_by_the_kernel(renderer: Renderer) -> None:
    template = '{% assign l = task.input.long | split: "," %}{{ l | uniq | uniq | size }}'
    values = ",".join(map(str, range(100_000)))
    with pytest.raises(Lost, match="too long"):
        renderer.ask(f"<crowd-form>{template}", json.dumps({"long": values}), str)
    assert _rendered(renderer, "{{ task.input.x }}", x="after it") == "after it"


def test_a_process_that_somebody_else_ended_is_started_again(renderer: Renderer) -> None:
    assert _rendered(renderer, "{{ task.input.x }}", x="before") == "before"
    process = renderer._process
    assert process is not None

    def kills(address: str) -> str:
        process.kill()
        process.wait()
        return address

    answer = renderer.ask("<form>{{ 's3://b/k' | grant_read_access }}", "{}", kills)
    assert answer == {"content": "<form>s3://b/k", "problem": None}
    assert _rendered(renderer, "{{ task.input.x }}", x="after") == "after"


def test_a_grant_that_fails_does_not_mix_up_the_next_template(renderer: Renderer) -> None:
    def fails(address: str) -> str:
        raise RuntimeError(address)

    with pytest.raises(RuntimeError, match="s3://b/k"):
        renderer.ask("<form>{{ 's3://b/k' | grant_read_access }}", "{}", fails)
    assert _rendered(renderer, "{{ task.input.x }}", x="next") == "next"


def test_threads_get_their_own_templates_answers(renderer: Renderer) -> None:
    wrong: list[str] = []

    def render(number: int) -> None:
        for turn in range(30):
            html = _rendered(renderer, "{{ task.input.n }}/{{ 's3://b/k' | grant_read_access }}", n=f"{number}-{turn}")
            if html != f"{number}-{turn}/URL(s3://b/k)":
                wrong.append(html)

    threads = [threading.Thread(target=render, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_literal_categories_are_found_and_those_of_a_task_are_not(renderer: Renderer) -> None:
    template = """
        <crowd-form>
          <crowd-classifier name="single" categories="['Good', 'Bad']"></crowd-classifier>
          <crowd-classifier-multi-select name="several" categories='["a", "b"]'></crowd-classifier-multi-select>
          <crowd-classifier name="given" categories="{{ task.input.labels | to_json | escape }}"></crowd-classifier>
          <crowd-classifier name="odd" categories="[{name: 'bare keys'}]"></crowd-classifier>
        </crowd-form>
    """
    assert renderer.ask(template, None, str)["categories"] == {"single": ["Good", "Bad"], "several": ["a", "b"]}


@pytest.mark.parametrize("form", ["<crowd-form></crowd-form>", "<form></form>", "<crowd-entity-annotation>"])
def test_a_form_is_any_element_that_can_be_submitted(renderer: Renderer, form: str) -> None:
    assert renderer.ask(form, None, str)["problem"] is None


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://b/a/k?x#y", ("b", "a/k?x#y")),
        ("https://s3.amazonaws.com/b/a%20k", ("b", "a k")),
        ("https://s3.eu-west-1.amazonaws.com/b/k", ("b", "k")),
        ("https://s3-eu-west-1.amazonaws.com/b/k", ("b", "k")),
        ("http://my.bucket.s3.amazonaws.com/k", ("my.bucket", "k")),
        ("https://b.s3.cn-north-1.amazonaws.com.cn/k", ("b", "k")),
        ("s3://b", None),
        ("s3:///k", None),
        ("https://example.com/b/k", None),
        ("https://s3.amazonaws.com.example.com/b/k", None),
        ("javascript:alert(1)", None),
        ("https://[broken/", None),
    ],
)
def test_s3_addresses_are_told_from_others(address: str, place: tuple[str, str] | None) -> None:
    assert s3_place(address) == place


#: What the samples ask for: any text, image, label or pair that they name.
_SAMPLE_INPUT: dict[str, Any] = {
    "taskObject": "s3://bucket/folder/an object.png",
    "labels": ["a", "b"],
    "labelOptions": ["a", "b"],
    "item1": {"image": "s3://bucket/1.png", "title": "One"},
    "item2": {"image": "s3://bucket/2.png", "title": "Two"},
    "translationPairs": [{"originalText": "<b>eins</b>", "translation": "one"}],
    "aiServiceRequest": {"image": {"s3Object": {"bucket": "b", "name": "k"}}},
    "selectedAiServiceResponse": {"moderationLabels": [{"name": "Suggestive", "parentName": ""}], "blocks": []},
    **{name: f"s3://bucket/{name}" for name in ("image", "image1", "image2", "image3", "image4", "audioFile1")},
}


def test_every_template_of_awss_samples_renders(renderer: Renderer) -> None:
    """Needs a checkout of github.com/aws-samples/amazon-a2i-sample-task-uis, named by A2I_SAMPLES."""
    folder = Path(os.environ.get("A2I_SAMPLES", ""))
    if not os.environ.get("A2I_SAMPLES") or not folder.is_dir():
        pytest.skip("the samples are not here: set A2I_SAMPLES to their checkout")
    found = sorted(folder.rglob("*.html"))
    assert len(found) >= 70
    problems = {}
    for path in found:
        source = path.read_text()
        checked = renderer.ask(source, None, str)["problem"]
        answer = renderer.ask(source, json.dumps(_SAMPLE_INPUT), lambda address: f"https://signed/{address}")
        if checked or answer["problem"] or "{{" in answer["content"].replace("{{{", ""):
            problems[path.name] = checked or answer["problem"] or "left unrendered"
        if "grant_read_access" in source and "s3_uri" not in source:
            assert "https://signed/" in answer["content"], path
    assert problems == {}
