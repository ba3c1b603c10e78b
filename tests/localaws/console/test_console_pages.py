"""The console's pages, each with records that were made by boto3."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from html import unescape
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pytest
from console_kit import HOSTILE, Records, csrf, insider, running
from localaws_kit import LocalAws
from waiting_kit import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    # A minute takes two seconds: alarms and scaling are there soon.
    with running(tmp_path_factory.mktemp("console") / "home", LOCALAWS_CLOCK_FACTOR="30") as started:
        yield started


@pytest.fixture(scope="module")
def records(server: LocalAws) -> Records:
    return Records(server)


@pytest.fixture
def console(server: LocalAws, records: Records) -> Iterator[httpx.Client]:
    with insider(server) as client:
        yield client


class Tags(HTMLParser):
    """What a browser finds in a page: the tags, their attributes' names, and where scripts come from."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))


def words(page: httpx.Response) -> str:
    """The text of a page that has no failed section."""
    assert page.status_code == 200, page.text
    assert 'class="error"' not in page.text.replace('<p class="error">AlgorithmError', "").replace(
        '<p class="error">SYNTAX_ERROR', ""
    )
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


def test_the_overview_has_jobs_endpoints_and_alarms(console: httpx.Client, records: Records) -> None:
    said = words(console.get("/"))
    assert "train-1 Training Completed" in said
    assert f"{records.endpoint} InService" in said
    assert "ALARM" in said


@pytest.mark.parametrize(
    ("kind", "name", "status"),
    [
        ("training", "train-1", "Completed"),
        ("processing", "process-1", "Failed"),
        ("tuning", "tune-1", "Completed"),
        ("automl", "automl-1", "Failed"),
    ],
)
def test_a_list_of_jobs_has_their_status(console: httpx.Client, kind: str, name: str, status: str) -> None:
    assert f"{name} {status}" in words(console.get(f"/jobs/{kind}"))


def test_a_list_is_narrowed_by_name(console: httpx.Client) -> None:
    assert "train-1" in words(console.get("/jobs/training", params={"name": "TRAIN-"}))
    assert "No job has this in its name" in words(console.get("/jobs/training", params={"name": "other"}))


def test_a_training_job_has_its_metric_as_a_chart(console: httpx.Client) -> None:
    page = until(lambda: console.get("/jobs/training/train-1"), lambda page: "loss 0.2" in page.text)
    lines = re.findall(r'<polyline class="line c1" points="([^"]+)"', page.text)
    assert max(len(line.split()) for line in lines) == 5
    assert "loss (last) 0.2" in words(page)


def test_a_training_job_has_its_data_as_links_to_s3(console: httpx.Client) -> None:
    page = console.get("/jobs/training/train-1").text
    (link,) = re.findall(r'href="(/buckets/jobs\?prefix=train-1-out[^"]+model.tar.gz)"', page)
    assert "model.tar.gz" in words(console.get(unescape(link)))


def test_a_failed_job_has_its_reason(console: httpx.Client) -> None:
    assert "AlgorithmError" in console.get("/jobs/processing/process-1").text


def test_a_tuning_job_has_its_training_jobs_the_best_one_first(console: httpx.Client) -> None:
    found = re.findall(r"Completed ([0-9.]+) .*?rate=", words(console.get("/jobs/tuning/tune-1")))
    assert len(found) == 2
    assert sorted(found, key=float, reverse=True) == found


def test_a_job_that_does_not_exist_is_not_found(console: httpx.Client) -> None:
    page = console.get("/jobs/training/none")
    assert page.status_code == 404
    assert "DescribeTrainingJob" in page.text


@pytest.mark.parametrize(
    "page", ["/logs/events", "/pipelines/execution", "/buckets/A!", "/endpoints/a b", "/models/%00"]
)
def test_an_address_that_nothing_can_have_is_not_found(console: httpx.Client, page: str) -> None:
    assert console.get(page).status_code == 404


def _events(console: httpx.Client, page: str) -> str:
    (address,) = re.findall(r'data-events="([^"]+)"', page)
    return unescape(str(address))


def test_a_log_is_read_on_from_its_token(console: httpx.Client) -> None:
    page = until(lambda: console.get("/jobs/training/train-1").text, lambda page: "data-events" in page)
    events = _events(console, page)
    first = until(lambda: console.get(events).json(), lambda found: "step 5" in str(found["events"]))
    assert any(text == HOSTILE for _, text in first["events"])
    again = console.get(f"{events}&token={quote(first['forward'])}").json()
    assert again["events"] == []
    assert again["forward"] == first["forward"]


def test_a_log_of_many_lines_is_given_from_its_end_in_pieces(console: httpx.Client, records: Records) -> None:
    logs = records.jobs.logs
    logs.create_log_group(logGroupName="long")
    logs.create_log_stream(logGroupName="long", logStreamName="lines")
    begin = int(time.time() * 1000) - 10_000
    lines = [{"timestamp": begin + number, "message": f"line {number}"} for number in range(1200)]
    logs.put_log_events(logGroupName="long", logStreamName="lines", logEvents=lines)
    address = {"group": "long", "stream": "lines"}
    last = console.get("/logs/events", params=address).json()
    assert [last["events"][0][1], last["events"][-1][1], last["full"]] == ["line 700", "line 1199", True]
    before = console.get("/logs/events", params={**address, "token": last["backward"]}).json()
    assert [before["events"][0][1], before["events"][-1][1]] == ["line 200", "line 699"]
    assert "lines" in words(console.get("/logs/streams", params={"group": "long"}))
    assert "long" in words(console.get("/logs"))


def test_a_pipeline_leads_to_its_execution_and_that_to_the_jobs_of_its_steps(
    console: httpx.Client, records: Records
) -> None:
    pipeline = console.get(f"/pipelines/{records.pipeline}").text
    (link,) = re.findall(r'href="(/pipelines/execution[^"]+)"', pipeline)
    execution = console.get(unescape(link))
    assert "Say Succeeded" in words(execution)
    (job,) = re.findall(r'href="(/jobs/processing/[^"]+)"', execution.text)
    assert "Completed" in words(console.get(job))


def test_an_endpoint_has_its_variants_with_weights_and_instances(console: httpx.Client, records: Records) -> None:
    said = words(console.get(f"/endpoints/{records.endpoint}"))
    assert "A 3 75% 2" in said
    assert "B 1 25% 1" in said


def test_an_endpoint_has_what_was_scaled_and_when(console: httpx.Client, records: Records) -> None:
    said = words(console.get(f"/endpoints/{records.endpoint}"))
    assert f"{records.variant} 2 3" in said
    assert "Setting desired instance count to 2." in said


def test_an_endpoint_leads_to_its_config_and_that_to_its_models(console: httpx.Client, records: Records) -> None:
    (config,) = re.findall(r'href="(/endpoint-configs/[^"]+)"', console.get(f"/endpoints/{records.endpoint}").text)
    model, *_ = re.findall(r'href="(/models/[^"]+)"', console.get(config).text)
    assert "pytorch-inference" in words(console.get(model))


@pytest.mark.parametrize(("variant", "product"), [("A", 42), ("B", 63)])
def test_the_form_invokes_the_endpoint(console: httpx.Client, records: Records, variant: str, product: int) -> None:
    page = f"/endpoints/{records.endpoint}"
    form = {"body": "21", "content_type": "application/json", "variant": variant}
    answer = console.post(f"{page}/invoke", data={**form, "csrf": csrf(console.get(page).text)})
    assert f'"product": {product}' in words(answer)
    assert f"Variant {variant}" in words(answer)


def test_an_error_of_the_model_is_said_where_the_answer_would_be(console: httpx.Client, records: Records) -> None:
    page = f"/endpoints/{records.endpoint}"
    answer = console.post(f"{page}/invoke", data={"body": "no json", "csrf": csrf(console.get(page).text)})
    assert answer.status_code == 200
    assert "ModelError" in answer.text.partition('id="answer"')[2]


def test_slow_answers_leave_the_console_its_threads(console: httpx.Client, records: Records) -> None:
    page = f"/endpoints/{records.endpoint}"
    form = {"body": '{"sleep": 3}', "variant": "B", "csrf": csrf(console.get(page).text)}
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(console.post, f"{page}/invoke", data=form) for _ in range(8)]
        refused = next(one.result() for one in as_completed(answers))
        assert refused.status_code == 429
        assert "still under way" in refused.text
        assert console.get("/buckets").status_code == 200
    assert sorted({one.result().status_code for one in answers}) == [200, 429]


def test_the_lines_of_a_body_end_as_the_model_expects_them(console: httpx.Client, records: Records) -> None:
    page = f"/endpoints/{records.endpoint}"
    form = {"body": '{"sleep":\r\n0}', "content_type": "application/json", "csrf": csrf(console.get(page).text)}
    assert "product" in words(console.post(f"{page}/invoke", data=form))


def test_the_invocations_are_drawn(console: httpx.Client, records: Records) -> None:
    for _ in range(3):
        records.hosting.invoke(records.endpoint, 1)
    until(lambda: console.get(f"/endpoints/{records.endpoint}").text, lambda page: "Latency of the model" in page)


def test_queries_are_listed_with_state_and_sql(console: httpx.Client) -> None:
    said = words(console.get("/queries"))
    assert "SELECT n FROM UNNEST(sequence(1, 250)) AS t(n) ORDER BY n SUCCEEDED" in said
    assert "SELECT nothing FROM items FAILED" in said


def test_a_querys_rows_come_in_pages(console: httpx.Client, records: Records) -> None:
    page = console.get(f"/queries/{records.rows}")
    seen: list[str] = []
    while True:
        seen += re.findall(r"<tr><td>(\d+)</td></tr>", page.text)
        link = re.search(r'rel="next" href="([^"]+)"', page.text)
        if link is None:
            break
        assert len(re.findall("<tr>", page.text)) <= 101
        page = console.get(unescape(link[1]))
    assert seen == [str(number) for number in range(1, 251)]


def test_a_failed_query_has_its_reason(console: httpx.Client, records: Records) -> None:
    page = console.get(f"/queries/{records.failed}")
    assert "nothing" in page.text
    assert re.search(r'class="error">[^<]*nothing', page.text)


def test_a_table_has_its_columns_and_partitions(console: httpx.Client) -> None:
    assert "shop" in words(console.get("/tables"))
    assert "items" in words(console.get("/tables/shop"))
    said = words(console.get("/tables/shop/items"))
    assert "id int" in said
    assert "day string partition key" in said
    assert "2026-11-30 s3://athena-shop/items/" in said


def test_the_objects_of_a_prefix_come_in_pages(console: httpx.Client) -> None:
    page = console.get("/buckets/objects", params={"prefix": "many/"})
    first = re.findall(r">(\d{3}\.txt)<", page.text)
    (link,) = re.findall(r'rel="next" href="([^"]+)"', page.text)
    second = re.findall(r">(\d{3}\.txt)<", console.get(unescape(link)).text)
    assert [len(first), len(second)] == [100, 10]
    assert first + second == [f"{number:03d}.txt" for number in range(110)]


def test_a_bucket_shows_prefixes_as_folders(console: httpx.Client) -> None:
    said = words(console.get("/buckets/objects"))
    assert "many/" in said
    assert "000.txt" not in said


@pytest.mark.parametrize(("key", "said"), [("zip/rows.csv.gz", "a,b 1,2 a,b"), ("zip/large.txt", "line line line")])
def test_the_preview_of_a_large_object_is_its_beginning(console: httpx.Client, key: str, said: str) -> None:
    page = console.get("/buckets/objects/object", params={"key": key})
    assert said in words(page)
    assert "of it." in page.text
    assert len(page.text) < 100_000


def test_an_object_that_is_no_text_is_not_shown(console: httpx.Client) -> None:
    assert "The object is not a text." in words(console.get("/buckets/objects/object", params={"key": "zip/binary"}))


def test_an_object_of_any_name_is_found_from_its_list(console: httpx.Client, records: Records) -> None:
    page = console.get("/buckets/objects", params={"prefix": "odd/"})
    (link,) = re.findall(r'href="(/buckets/objects/object[^"]+)"', page.text)
    shown = console.get(unescape(link))
    assert f"s3://objects/{records.key}" in words(shown)


def test_a_human_loop_is_found_by_its_flow(console: httpx.Client) -> None:
    assert "flow-1 Active" in words(console.get("/loops"))
    assert "loop-1 InProgress" in words(console.get("/flows/flow-1"))
    assert "It is there when people have answered." in words(console.get("/loops/loop-1"))
    assert "ui-of-flow-1" in words(console.get("/task-templates/ui-of-flow-1"))


def test_alarms_and_scaling_are_a_time_line(console: httpx.Client, records: Records) -> None:
    page = console.get("/alarms")
    assert f">{records.variant}</text>" in page.text
    assert re.search(r'<rect class="span bad"', page.text)
    assert re.search(r'<circle class="mark (good|busy)"', page.text)
    assert "Invocation5XXErrors GreaterThanThreshold 0.5" in words(page)


def test_an_alarm_has_its_history(console: httpx.Client) -> None:
    said = words(console.get("/alarms/" + quote(f"alarm {HOSTILE}", safe="")))
    assert "StateUpdate Alarm updated from INSUFFICIENT_DATA to ALARM" in said


def test_the_script_is_given_the_live_sections_alone(console: httpx.Client) -> None:
    alone = console.get("/jobs/training/train-1", params={"live": "1"}).text
    assert "<html" not in alone
    assert "Metrics" in alone
    assert "pre" in Tags(alone).names
    assert "Hyperparameters" not in alone
    assert 'data-live="no"' in alone


def test_nothing_hostile_is_more_than_text(console: httpx.Client, records: Records) -> None:
    alarm = "/alarms/" + quote(f"alarm {HOSTILE}", safe="")
    found = "/buckets/objects/object?key=" + quote(records.key, safe="")
    places = [
        "/", "/jobs/training/train-1", "/jobs/processing/process-1", "/queries", f"/queries/{records.query}",
        "/buckets/objects?prefix=odd/", found, "/flows/flow-1", "/loops/loop-1", "/alarms", alarm,
        f"/jobs/training?name={quote(HOSTILE)}", f"/logs/streams?group={quote(HOSTILE)}", f"/{quote(HOSTILE)}",
        f"/buckets/{quote(HOSTILE, safe='')}", f"/logs/stream?group={quote(HOSTILE)}&stream={quote(HOSTILE)}",
    ]  # fmt: skip
    pages = [console.get(place).text for place in places]
    assert sum("&lt;script&gt;alert(1)" in page for page in pages) >= 10
    for place, page in zip(places, pages, strict=True):
        tags = Tags(page)
        assert tags.scripts in ([], ["/static/console.js"]), place
        assert not tags.names & {"img", "iframe", "style", "base"}, place
        assert not [name for name in tags.attributes if name.startswith("on") or name == "style"], place
        assert "49}" not in page


def test_an_endpoints_answer_is_escaped(console: httpx.Client, records: Records) -> None:
    page = f"/endpoints/{records.endpoint}"
    body = json.dumps(HOSTILE)
    answer = console.post(f"{page}/invoke", data={"body": body, "csrf": csrf(console.get(page).text)}).text
    # The multiplier doubles or triples the text.
    assert "alert(1)" in answer.partition('id="answer"')[2]
    assert "<script>alert" not in answer


def test_reads_write_nothing(console: httpx.Client, server: LocalAws) -> None:
    before = (server.home / "localaws" / "calls.txt").read_text()
    for place in ("/", "/jobs/training", "/endpoints", "/queries", "/tables", "/buckets", "/loops", "/alarms", "/logs"):
        console.get(place)
    new = (server.home / "localaws" / "calls.txt").read_text().removeprefix(before).splitlines()
    assert [line for line in new if not re.search(r":(List|Describe|Get|BatchGet|Head)", line)] == []


def test_a_section_that_fails_leaves_the_others(console: httpx.Client) -> None:
    page = console.get("/jobs/training", params={"next": "no token of ours"})
    assert page.status_code == 200
    assert "The NextToken is invalid." in page.text
    assert "Name contains" in page.text
