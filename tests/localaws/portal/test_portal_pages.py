"""The worker portal in a headless browser, against a real localaws."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from browser_kit import accessibility_faults
from localaws_kit import LocalAws, start
from people_kit import REVIEWS, Office, fill_sign_in, shown, start_job
from workforce_kit import TEMPORARY

from localaws.sagemaker.human_review import seats

PHONE = {"viewport": {"width": 375, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A localaws whose hour of a task is two minutes."""
    started = start(tmp_path_factory.mktemp("portal") / "home", LOCALAWS_CLOCK_FACTOR="30")
    yield started
    started.stop()
    shutil.rmtree(started.home, ignore_errors=True)


@pytest.fixture(scope="module")
def office(server: LocalAws) -> Office:
    return Office(server, "ann", "bob")


def test_three_reviews_are_labelled_one_after_another(office: Office, browser: Any) -> None:
    office.job("three", 3)
    with office.at_work(browser, "ann") as page:
        frame = start_job(page, "three")
        for review, label in zip(REVIEWS, ("1", "-1", "0"), strict=True):
            frame.get_by_text(review).wait_for()
            frame.get_by_role("radio", name=label, exact=True).check()
            frame.get_by_role("button", name="Submit").click()
        page.get_by_text("Nothing is left for you in three").wait_for()
    given = [office.answers(f"three-{number}") for number in range(3)]
    assert given == [[{"sentiment": {"label": label}}] for label in ("1", "-1", "0")]


def test_two_workers_answer_a_task_of_two(office: Office, browser: Any) -> None:
    office.job("pair", 1, TaskCount=2)
    with office.at_work(browser, "ann") as page, office.at_work(browser, "bob") as other:
        frames = [start_job(page, "pair"), start_job(other, "pair")]
        for frame, label in zip(frames, ("1", "0"), strict=True):
            frame.get_by_role("radio", name=label, exact=True).check()
            frame.get_by_role("button", name="Submit").click()
        for each in (page, other):
            each.get_by_text("Nothing is left for you in pair").wait_for()
    assert office.answers("pair-0") == [{"sentiment": {"label": "1"}}, {"sentiment": {"label": "0"}}]


def test_second_worker_is_not_offered_a_taken_task(office: Office, browser: Any) -> None:
    office.job("single", 1)
    with office.at_work(browser, "ann") as page, office.at_work(browser, "bob") as other:
        other.goto("/")
        start_job(page, "single")
        other.get_by_role("button", name="Sentiment, single").click()
        other.get_by_text("Nothing is left for you in single").wait_for()


def test_keyboard_alone_is_enough(office: Office, browser: Any) -> None:
    office.job("keys", 2)
    with office.at_work(browser, "ann") as page:
        page.goto("/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        for _ in range(40):
            page.keyboard.press("Tab")
            if "Sentiment, keys" in (page.evaluate("document.activeElement.ariaLabel") or ""):
                break
        page.keyboard.press("Enter")
        # First with the focus on the portal's own page, then from inside the frame.
        frame = shown(page)
        page.keyboard.press("3")
        frame.locator("input:checked").wait_for()
        before = page.url
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: url != before)
        frame = shown(page)
        frame.get_by_role("radio").first.focus()
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        page.get_by_text("Nothing is left for you in keys").wait_for()
    assert office.answers("keys-0") == [{"sentiment": {"label": "1"}}]
    assert office.answers("keys-1") == [{"sentiment": {"label": "0"}}]


def enter(page: Any, job: str, label: str) -> Any:
    """The frame of a job's first task, in which a label is chosen and saved as a draft."""
    frame = start_job(page, job)
    frame.get_by_role("radio", name=label, exact=True).check()
    page.get_by_text("Draft saved").wait_for()
    return frame


def test_draft_is_kept_by_a_pause(office: Office, browser: Any) -> None:
    office.job("pause", 1)
    with office.at_work(browser, "ann") as page:
        enter(page, "pause", "0")
        page.get_by_role("button", name="Stop and resume later").click()
        page.wait_for_url("**/")
    # Another tab, which has no copy of its own.
    with office.at_work(browser, "ann") as page:
        page.get_by_role("button", name="Continue: Sentiment, pause").click()
        assert shown(page).locator("input:checked").get_attribute("value") == "0"


def test_released_task_is_free_for_others(office: Office, browser: Any) -> None:
    office.job("release", 1)
    with office.at_work(browser, "ann") as page:
        start_job(page, "release")
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Release task").click()
        page.wait_for_url("**/")
    assert seats_of(office, "bob", "release") == 1
    assert seats_of(office, "ann", "release") == 1


def test_declined_task_does_not_come_back(office: Office, browser: Any) -> None:
    office.job("decline", 1)
    with office.at_work(browser, "ann") as page:
        start_job(page, "decline")
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Decline task").click()
        page.wait_for_url("**/")
        assert page.get_by_role("button", name="Sentiment, decline").count() == 0
    assert seats_of(office, "bob", "decline") == 1


def seats_of(office: Office, username: str, flow: str) -> int:
    """How many tasks of a flow a worker could take."""
    return sum(job.open for job in seats.jobs(office.ctx, office.member(username)) if job.flow_name == flow)


def test_task_is_over_with_its_time_and_the_draft_is_kept(office: Office, browser: Any) -> None:
    # 120 of AWS's seconds are four here.
    office.job("lease", 1, TaskTimeLimitInSeconds=120)
    with office.at_work(browser, "ann") as page:
        frame = start_job(page, "lease")
        assert re.fullmatch(r"0:0\d", page.get_by_role("timer").inner_text())
        frame.get_by_role("radio", name="-1", exact=True).check()
        page.get_by_text("Draft saved").wait_for()
        page.get_by_role("heading", name="Your time for this task is over").wait_for(timeout=15000)
        assert page.get_by_text("What you entered is kept").is_visible()
        page.get_by_role("button", name="Take a task").click()
        frame = shown(page)
        frame.locator("input:checked").wait_for()
        assert frame.locator("input:checked").get_attribute("value") == "-1"


def test_stopped_loop_may_be_finished_by_who_has_it_and_is_not_offered(office: Office, browser: Any) -> None:
    office.job("stopped", 1, TaskCount=2)
    with office.at_work(browser, "ann") as page:
        frame = start_job(page, "stopped")
        office.loops.stop_human_loop(HumanLoopName="stopped-0")
        assert seats_of(office, "bob", "stopped") == 0
        frame.get_by_role("radio", name="0", exact=True).check()
        frame.get_by_role("button", name="Submit").click()
        page.get_by_text("Nothing is left for you in stopped").wait_for()
    assert office.ended("stopped-0")["HumanLoopStatus"] == "Stopped"


def test_loop_that_ends_while_open_says_so(office: Office, browser: Any) -> None:
    office.job("ends", 1, TaskAvailabilityLifetimeInSeconds=180)
    with office.at_work(browser, "ann") as page:
        start_job(page, "ends")
        page.get_by_role("heading", name="This task has ended").wait_for(timeout=20000)


def test_answer_that_comes_too_late_is_not_said_to_be_taken(office: Office, browser: Any) -> None:
    office.job("late", 1)
    with office.at_work(browser, "ann") as page:
        frame = enter(page, "late", "0")
        seats.release(office.ctx, office.member("ann"), page.url.rpartition("/")[2])
        frame.get_by_role("button", name="Submit").click()
        page.get_by_role("heading", name="No such task").wait_for()


HOSTILE = (
    "<script>parent.document.title = 'taken'</script>"
    "<img src=x onerror=\"parent.postMessage({crowd: 'answer', answer: {}}, '*')\">"
)
TEMPLATE = """
<script>window.ran = document.cookie; parent.postMessage({crowd: 'answer', answer: {forged: 1}}, '*')</script>
<base href="https://example.com/">
<crowd-form><crowd-input name="why" label="Why"></crowd-input>
<div id="text">{{ task.input.taskObject | skip_autoescape }}</div>
<p onclick="window.ran = 1">Click</p><a href="javascript:window.ran=1">Link</a>
<iframe src="/"></iframe></crowd-form>
"""


def test_template_and_text_run_no_script_and_reach_nothing(office: Office, browser: Any) -> None:
    office.job("hostile", 1, texts=(HOSTILE,), template=TEMPLATE)
    with office.at_work(browser, "ann") as page:
        title = "Sentiment, hostile"
        page.goto("/")
        page.get_by_role("button", name=title).click()
        frame = shown(page)
        frame.get_by_text("Click").click()
        frame.get_by_text("Link").click()
        page.wait_for_timeout(500)
        (inner,) = [one for one in page.frames if one.url.endswith("/frame")]
        assert inner.evaluate("window.ran") is None
        assert inner.evaluate("self.origin") == "null"
        with pytest.raises(Exception, match=r"sandboxed|SecurityError"):
            inner.evaluate("document.cookie")
        with pytest.raises(Exception, match=r"SecurityError|cross-origin"):
            inner.evaluate("parent.document.title")
        assert page.title().startswith(title)
        assert page.get_by_text("the portal runs no script of a template").is_visible()
        frame.get_by_label("Why").fill("odd")
        frame.get_by_role("button", name="Submit").click()
        page.get_by_text("Nothing is left for you in hostile").wait_for()
    assert office.answers("hostile-0") == [{"why": "odd"}]


@pytest.mark.parametrize("place", ["/", "https://example.com/"])
def test_template_cannot_lead_its_frame_elsewhere(office: Office, browser: Any, place: str) -> None:
    name = f"led-away-{len(place)}"
    office.job(name, 1, template=f'<meta http-equiv="refresh" content="0;url={place}"><crowd-form></crowd-form>')
    with office.at_work(browser, "ann") as page:
        page.get_by_role("button", name=f"Sentiment, {name}").click()
        page.wait_for_timeout(1500)
        inner = [one for one in page.frames if one != page.main_frame]
        assert [one for one in inner if one.url == place or one.url == office.portal + place] == []
        assert page.title().startswith("Sentiment")


def test_escaped_review_is_shown_as_it_was_written(office: Office, browser: Any) -> None:
    office.job("escaped", 1, texts=(HOSTILE,))
    with office.at_work(browser, "ann") as page:
        frame = start_job(page, "escaped")
        assert frame.get_by_text("<script>parent.document.title").is_visible()


def test_phone_shows_the_whole_task_without_sideways_scrolling(office: Office, browser: Any) -> None:
    office.job("phone", 1)
    with office.at_work(browser, "ann", **PHONE) as page:
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wide)
        frame = start_job(page, "phone")
        assert not page.evaluate(wide)
        (inner,) = [one for one in page.frames if one.url.endswith("/frame")]
        assert not inner.evaluate(wide)
        # Not by tap(): playwright's touches do not get into a frame that has a process of its own.
        frame.locator("label.choice").last.click()
        frame.get_by_role("button", name="Submit").click()
        page.get_by_text("Nothing is left for you in phone").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(office: Office, browser: Any, scheme: str) -> None:
    office.job(f"axe-{scheme}", 1)
    with office.at_work(browser, "lea", color_scheme=scheme) as page:
        found = {"jobs": accessibility_faults(page)}
        page.goto("/jobs/none/tasks/none")
        found["no such task"] = accessibility_faults(page)
        start_job(page, f"axe-{scheme}")
        found["task"] = accessibility_faults(page)
        for name, path in (("teams", "/lead"), ("team", "/lead/reviewers"), ("not found", "/nowhere")):
            page.goto(path)
            found[name] = accessibility_faults(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


def cookies(page: Any) -> dict[str, str]:
    return {one["name"]: one["value"] for one in page.context.cookies()}


def test_task_of_another_worker_is_not_found(office: Office, browser: Any) -> None:
    office.job("own", 1)
    with office.at_work(browser, "ann") as page, office.at_work(browser, "bob") as other:
        start_job(page, "own")
        for path in (page.url, f"{page.url}/frame"):
            assert other.goto(path).status == 404


def test_job_of_another_team_is_not_found(office: Office, browser: Any) -> None:
    office.job("theirs", 1)
    task = seats.take(office.ctx, office.member("ann"), "theirs")
    stranger = office.other_team("stranger")
    with office.at_work(browser, stranger) as page:
        assert page.get_by_role("button").count() == 1
        assert page.goto(f"/jobs/theirs/tasks/{task.seat_id}").status == 404
        assert page.goto("/lead/reviewers").status == 404


@pytest.mark.parametrize("act", ["answer", "draft", "state", "decline", "release", "pause"])
def test_request_without_the_token_is_refused(office: Office, browser: Any, act: str) -> None:
    office.job(f"forged-{act}", 1)
    with office.at_work(browser, "ann") as page:
        start_job(page, f"forged-{act}")
        answer = httpx.post(f"{page.url}/{act}", json={"sentiment": {"label": "1"}}, cookies=cookies(page))
        assert answer.status_code == 403
        # The token of another session is no better than none.
        forged = {"X-CSRF-Token": "0" * 64}
        again = httpx.post(f"{page.url}/{act}", json={}, headers=forged, cookies=cookies(page))
        assert again.status_code == 403


def test_request_without_a_session_is_refused(office: Office, browser: Any) -> None:
    office.job("no-session", 1)
    with office.at_work(browser, "ann") as page:
        start_job(page, "no-session")
        token = page.locator("#task").get_attribute("data-csrf")
        answer = httpx.post(f"{page.url}/answer", json={}, headers={"X-CSRF-Token": token})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ('{"sentiment": {"label": "Lovely"}}', 422, "not one of the categories"),
        ("[]", 400, ""),
        ("{", 400, ""),
        ('{"sentiment": NaN}', 400, ""),
        ('{"sentiment": "%s"}' % ("x" * 1_100_000), 413, ""),
    ],
    ids=["label", "list", "text", "nan", "large"],
)
def test_answer_that_is_none_is_refused(
    office: Office,
    browser: Any,
    body: str,
    status: int,
    sentence: str,
    request: Any,
) -> None:
    name = f"bad-{request.node.callspec.id}"
    office.job(name, 1)
    with office.at_work(browser, "ann") as page:
        start_job(page, name)
        token = page.locator("#task").get_attribute("data-csrf")
        headers = {"X-CSRF-Token": token, "Content-Type": "application/json"}
        answer = httpx.post(f"{page.url}/answer", content=body, headers=headers, cookies=cookies(page))
        assert answer.status_code == status
        assert sentence in answer.text
    assert office.describe(f"{name}-0")["HumanLoopStatus"] == "InProgress"


def test_draft_is_shown_though_the_frame_is_there_before_the_page_s_script(office: Office, browser: Any) -> None:
    office.job("overtaken", 1)
    with office.at_work(browser, "ann") as page:
        frame = enter(page, "overtaken", "-1")

        held: list[Any] = []
        page.route("**/static/draft.js", lambda route: held.append(route))
        page.reload(wait_until="commit")
        frame.get_by_role("button", name="Submit").wait_for()
        held.pop().continue_()
        frame.locator("input:checked").wait_for()
        assert frame.locator("input:checked").get_attribute("value") == "-1"
        # A frame that is loaded again gets it again.
        with page.expect_event("framenavigated"):
            page.evaluate("document.getElementById('frame').src += '?again'")
        frame.locator("input:checked").wait_for()


def test_expired_session_leads_to_sign_in_and_back_with_the_draft(office: Office, browser: Any) -> None:
    office.job("expired", 1)
    with office.at_work(browser, "ann") as page:
        frame = start_job(page, "expired")
        task = page.url
        page.context.clear_cookies()
        frame.get_by_role("radio", name="0", exact=True).check()
        frame.get_by_role("button", name="Submit").click()
        page.wait_for_url(lambda url: url != task)
        fill_sign_in(page, "ann")
        page.wait_for_url(task)
        frame = shown(page)
        frame.locator("input:checked").wait_for()
        assert frame.locator("input:checked").get_attribute("value") == "0"
        frame.get_by_role("button", name="Submit").click()
        page.get_by_text("Nothing is left for you in expired").wait_for()


def test_unreachable_portal_keeps_the_answer(office: Office, browser: Any) -> None:
    office.job("offline", 1)
    with office.at_work(browser, "ann") as page:
        frame = enter(page, "offline", "1")
        page.context.set_offline(True)
        frame.get_by_role("button", name="Submit").click()
        frame.get_by_text("The portal cannot be reached").wait_for()
        page.context.set_offline(False)
        frame.get_by_role("button", name="Submit").click()
        page.get_by_text("Nothing is left for you in offline").wait_for()
    assert office.answers("offline-0") == [{"sentiment": {"label": "1"}}]


def test_removed_worker_is_shut_out_at_once(office: Office, browser: Any) -> None:
    office.hire("eve")
    with office.at_work(browser, "eve") as page:
        assert page.get_by_role("heading", name="Jobs").is_visible()
        office.dismiss("eve")
        page.goto("/")
        assert page.get_by_role("heading", name="Jobs").count() == 0


def test_first_sign_in_changes_the_password(office: Office, browser: Any) -> None:
    office.hire("new", permanent=False)
    surroundings = browser.new_context(base_url=office.portal)
    page = surroundings.new_page()
    page.goto("/")
    fill_sign_in(page, "new", TEMPORARY)
    page.get_by_label("New password", exact=True).fill("Another-horse-2")
    page.get_by_label("New password again").fill("Another-horse-2")
    page.get_by_role("button", name="Change password").click()
    page.get_by_role("heading", name="Jobs").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")
    fill_sign_in(page, "new", "Another-horse-2")
    page.get_by_role("heading", name="Jobs").wait_for()
    surroundings.close()


def test_lead_sees_queue_answers_and_agreement(office: Office, browser: Any) -> None:
    office.job("led", 3, TaskCount=2)
    for number, pair in enumerate((("1", "1"), ("0", "0"))):
        for username, label in zip(("ann", "bob"), pair, strict=True):
            task = seats.take(office.ctx, office.member(username), "led")
            assert task.loop_name == f"led-{number}"
            seats.submit(office.ctx, office.member(username), task.seat_id, {"sentiment": {"label": label}})
    with office.at_work(browser, "lea") as page:
        page.get_by_role("link", name="Team").click()
        page.get_by_role("link", name="reviewers").click()
        page.get_by_role("heading", name="Team reviewers").wait_for()
        rows = page.get_by_role("table", name="Answers").get_by_role("row").filter(has_text="led-1").all_inner_texts()
        assert [row.split("\t")[3] for row in rows] == ["0", "0"]
        assert "ann" in " ".join(rows)
        assert "bob" in " ".join(rows)
        assert page.get_by_role("table", name="Queue").get_by_role("row").filter(has_text="led-2").count() == 1
        assert "kappa" in page.get_by_role("main").inner_text()


def test_worker_who_leads_nothing_has_no_team_page(office: Office, browser: Any) -> None:
    with office.at_work(browser, "ann") as page:
        assert page.get_by_role("link", name="Team").count() == 0
        assert page.goto("/lead").status == 404
        assert page.goto("/lead/reviewers").status == 404


def test_group_that_ends_with_leads_makes_a_lead(office: Office, browser: Any) -> None:
    office.hire("kim")
    idp = office.server.client("cognito-idp")
    idp.create_group(UserPoolId=office.people.pool_id, GroupName="night-leads")
    idp.admin_add_user_to_group(UserPoolId=office.people.pool_id, Username="kim", GroupName="night-leads")
    with office.at_work(browser, "kim") as page:
        assert page.get_by_role("link", name="Team").is_visible()


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "before=x", "before=1-%27"])
def test_page_of_the_lead_that_is_none_is_not_found(office: Office, browser: Any, query: str) -> None:
    with office.at_work(browser, "lea") as page:
        assert page.goto(f"/lead/reviewers?{query}").status in (200, 404)
        assert "internal error" not in page.content()


def test_link_cannot_put_words_into_the_page(office: Office, browser: Any) -> None:
    with office.at_work(browser, "ann") as page:
        page.goto("/?finished=Call+this+number")
        assert "Call this number" not in page.content()


def test_answers_reach_the_output_as_json_objects(office: Office, browser: Any) -> None:
    template = """<crowd-form><crowd-input name="tag" label="Tag"></crowd-input>
      <crowd-checkbox name="about" value="fit">Fit</crowd-checkbox></crowd-form>"""
    office.job("object", 1, template=template)
    with office.at_work(browser, "ann") as page:
        frame = start_job(page, "object")
        frame.get_by_label("Tag").fill("warm")
        frame.get_by_text("Fit").click()
        frame.get_by_role("button", name="Submit").click()
        page.get_by_text("Nothing is left for you in object").wait_for()
    assert json.dumps(office.answers("object-0")) == '[{"about": {"fit": true}, "tag": "warm"}]'
