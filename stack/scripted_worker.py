"""
A worker that is a program: signs in to the worker portal through its pages, and answers from the true ratings.

For the demo and the tests. It knows the portal as a browser does, by the forms of its pages, and makes mistakes at a
rate that is set.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests

from stack.layout import StackError

LABELS = ("Negative", "Neutral", "Positive")
#: the classifier of include/human_review/backends/worker_task.liquid.html.
QUESTION = "sentiment"
_TIMEOUT = 30


class PortalProblem(StackError):
    """The portal does not do what a worker expects; the message says where."""


@dataclass
class Form:
    """A form of a page: where it goes, and the fields with what is in them."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    passwords: list[str] = field(default_factory=list)

    @property
    def name_field(self) -> str | None:
        """The field for the user's name."""
        return next((name for name in self.fields if name.casefold() in ("username", "email", "user")), None)


class Page(HTMLParser):
    """The forms of a page, its ``data-`` attributes by element id, and the text of the reviewed item."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.data: dict[str, dict[str, str]] = {}
        self.paragraphs: list[str] = []
        self._open: list[str] = []
        self._form: Form | None = None
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See an element begin."""
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.data[given["id"]] = {key[5:]: value for key, value in given.items() if key.startswith("data-")}
        if tag == "form":
            self._form = Form(given.get("action", ""))
            self.forms.append(self._form)
        elif tag == "input" and self._form is not None and given.get("name"):
            self._form.fields[given["name"]] = given.get("value", "")
            if given.get("type") == "password":
                self._form.passwords.append(given["name"])
        if tag in ("classification-target", "p"):
            self._open.append(tag)
            if tag == "p" and "classification-target" in self._open:
                self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        """See an element end."""
        if tag == "form":
            self._form = None
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        """Read text."""
        if "p" in self._open and "classification-target" in self._open:
            self.paragraphs[-1] += data

    def form_to(self, ending: str) -> Form | None:
        """Return the form whose action ends like this."""
        return next((form for form in self.forms if form.action.split("?")[0].endswith(ending)), None)


class ScriptedWorker:
    """
    A person at the portal.

    :param portal: its URL.
    :param username: of the Cognito account.
    :param password: the temporary one, or the one that was chosen.
    :param new_password: what to choose where the temporary one has to be changed.
    :param error_rate: share of the answers that are another label than the true one.
    :param seed: decides which.
    """

    def __init__(
        self,
        portal: str,
        username: str,
        password: str,
        *,
        new_password: str,
        error_rate: float = 0.0,
        seed: int = 42,
    ) -> None:
        self.portal = portal.rstrip("/")
        self.username, self.password, self.new_password = username, password, new_password
        self.error_rate, self._random = error_rate, random.Random(seed)
        self.changed_password = False
        self.answered: dict[str, str] = {}
        self._session = requests.Session()
        # A proxy in the environment must not see loopback traffic.
        self._session.trust_env = False

    def sign_in(self) -> None:
        """
        Sign in by the hosted pages, with a change of the password where it is asked for.

        :raises PortalProblem: the pages do not lead to the portal.
        """
        answer, page = self._get(f"{self.portal}/")
        for _ in range(3):
            form = next((each for each in page.forms if each.passwords), None)
            if form is None:
                break
            is_change = form.name_field is None or len(form.passwords) > 1
            filled = dict(form.fields)
            if form.name_field:
                filled[form.name_field] = self.username
            filled |= dict.fromkeys(form.passwords, self.new_password if is_change else self.password)
            self.changed_password |= is_change
            answer, page = self._post(urljoin(answer.url, form.action) if form.action else answer.url, filled)
        # Only pages for those who are signed in have a way out.
        if page.form_to("/logout") is None or any(form.passwords for form in page.forms):
            place = answer.url.split("?")[0]
            raise PortalProblem(f"{self.username} could not sign in: the pages end at {place} ({answer.status_code})")

    def answer_all(self, truth: Callable[[str], str | None]) -> int:
        """
        Take and answer tasks until none is left; how many.

        :param truth: text of a review -> its true label, None where it is not known.
        :raises PortalProblem: a task shows a review whose label is not known.
        """
        before = len(self.answered)
        while (task := self._take()) is not None:
            place, csrf, text = task
            label = truth(text)
            if label is None:
                raise PortalProblem(f"a task shows a review that is not in the table: {text[:100]!r}")
            self._submit(place, csrf, self._said(label))
            self.answered[place] = label
        return len(self.answered) - before

    def _said(self, label: str) -> str:
        if self._random.random() >= self.error_rate:
            return label
        return self._random.choice([other for other in LABELS if other != label])

    def _take(self) -> tuple[str, str, str] | None:
        """Take a task of any job: its place, the token of its page, and the text that is shown."""
        _, jobs = self._get(f"{self.portal}/")
        form = jobs.form_to("/take")
        if form is None:
            return None
        answer, page = self._post(urljoin(self.portal, form.action), form.fields)
        task = page.data.get("task")
        if not task or "place" not in task:
            # Another worker was faster.
            return None
        place = urljoin(answer.url, task["place"])
        _, frame = self._get(f"{place}/frame")
        if not frame.paragraphs:
            raise PortalProblem(f"the task at {place} shows no text")
        return place, task["csrf"], frame.paragraphs[-1]

    def _submit(self, place: str, csrf: str, label: str) -> None:
        answer = self._session.post(
            f"{place}/answer",
            data=json.dumps({QUESTION: {"label": label}}),
            headers={"Content-Type": "application/json", "X-CSRF-Token": csrf, "Origin": self.portal},
            timeout=_TIMEOUT,
        )
        if not answer.ok:
            raise PortalProblem(f"the portal answered {answer.status_code} to an answer: {answer.text[:300]}")

    def _get(self, url: str) -> tuple[requests.Response, Page]:
        return self._read(self._session.get(url, timeout=_TIMEOUT))

    def _post(self, url: str, fields: Mapping[str, str]) -> tuple[requests.Response, Page]:
        origin = "/".join(url.split("/")[:3])
        return self._read(self._session.post(url, data=fields, headers={"Origin": origin}, timeout=_TIMEOUT))

    @staticmethod
    def _read(answer: requests.Response) -> tuple[requests.Response, Page]:
        if answer.status_code >= 500 or answer.status_code == 403:
            raise PortalProblem(f"{answer.url.split('?')[0]} answered {answer.status_code}: {answer.text[:300]}")
        return answer, Page(answer.text)


def same_text(text: str) -> str:
    """Normalise a text's spacing: what is left tells one review from another on a page."""
    return " ".join(text.split())


def true_labels(s3: Any, bucket: str, prefix: str = "data/reviews/") -> dict[str, str]:
    """Return text -> label by the rating, of the cleaned table in S3."""
    import io

    import pyarrow.parquet as pq

    found: dict[str, str] = {}
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        if entry["Key"].endswith(".parquet"):
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            table = pq.read_table(io.BytesIO(body), columns=["body", "sentiment"])
            for text, sentiment in zip(*(column.to_pylist() for column in table.columns), strict=True):
                found[same_text(text)] = LABELS[sentiment + 1]
    return found


def work(worker: ScriptedWorker, truth: Mapping[str, str], wanted: Callable[[], bool], pause: float = 0.5) -> int:
    """Answer whatever comes, as long as ``wanted`` says so; how many answers."""
    count = 0
    while wanted():
        count += worker.answer_all(lambda text: truth.get(same_text(text)))
        time.sleep(pause)
    return count
