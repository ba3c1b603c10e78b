"""From a page's sections to HTML."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from localaws.console import words
from localaws.console.parts import Note, Page, Part, Section
from localaws.core.templating import environment

log = logging.getLogger(__name__)

#: the pages of the top bar.
NAVIGATION = (
    ("Overview", "/"),
    ("Jobs", "/jobs/training"),
    ("Pipelines", "/pipelines"),
    ("Endpoints", "/endpoints"),
    ("Queries", "/queries"),
    ("Tables", "/tables"),
    ("S3", "/buckets"),
    ("Human loops", "/loops"),
    ("Alarms", "/alarms"),
    ("Logs", "/logs"),
)
#: asks for the live sections alone.
LIVE = "live"


class Views:
    """
    The templates of ``localaws/console/templates``.

    :param csrf: the token of the pages' forms.
    """

    def __init__(self, csrf: str) -> None:
        self._environment = environment(Path(__file__).parent / "templates")
        self._environment.filters |= {"value": words.value}
        self._csrf = csrf

    def answer(self, request: Request, page: Page, *, status: int = 200) -> Response:
        """Return a page; only its live sections where the page's script asks for them."""
        alone = LIVE in request.query_params
        sections = [
            (number, section, _parts(section))
            for number, section in enumerate(page.sections)
            if section.live or not alone
        ]
        values = {"page": page, "sections": sections, "path": request.url.path, "csrf": self._csrf}
        return self._html("live.html" if alone else "page.html", values, status)

    def failure(self, status: int, title: str, sentence: str, *, again: str = "") -> Response:
        """
        Return a page with a title and a sentence.

        :param again: a path that is worth another try.
        """
        return self._html("failure.html", {"title": title, "sentence": sentence, "again": again}, status)

    def landing(self) -> Response:
        """Return the page that leads from an address of AWS's console to ours."""
        return self._html("landing.html", {"path": "", "page": Page("Console", ())}, 200)

    def _html(self, name: str, values: dict[str, object], status: int) -> Response:
        template = self._environment.get_template(name)
        return HTMLResponse(template.render({"navigation": NAVIGATION, **values}), status)


def _parts(section: Section) -> Sequence[Part]:
    """Build a section; one that fails says so in its place, and the rest of the page is there."""
    try:
        return section.build()
    except ClientError as error:
        detail = error.response["Error"]
        return [Note(f"{error.operation_name}: {detail['Code']}: {detail['Message']}", bad=True)]
    except BotoCoreError as error:
        log.warning("%s: %s", section.title, error)
        return [Note(f"localaws did not answer: {error}", bad=True)]
    except Exception:
        log.exception("the section %s failed", section.title)
        return [Note("An internal error occurred. The server's log has the details.", bad=True)]
