"""The sections of the page, a file each: what it reads, and what its template and charts are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sentiment_page.aws import Aws
from sentiment_page.sections import (
    ab_tests,
    bias,
    champion,
    data,
    endpoint,
    human_reviews,
    leader_board,
    retraining,
)


@dataclass(frozen=True)
class Section:
    """
    A section of the page.

    :param read: returns what the template is given, or raises: then the page says why.
    :param template: file in ``templates/sections``, without its suffix.
    """

    title: str
    read: Callable[[Aws], dict[str, Any]]
    template: str


#: in the order of the page.
SECTIONS = {
    "champion": Section("Champion", champion.read, "champion"),
    "endpoint": Section("Endpoint", partial(endpoint.read, window=endpoint.WINDOWS[0]), "endpoint"),
    "data": Section("Data", data.read, "data"),
    "bias": Section("Bias", bias.read, "bias"),
    "leader-board": Section("Leader board", leader_board.read, "leader_board"),
    "ab-tests": Section("A/B tests", ab_tests.read, "ab_tests"),
    "human-reviews": Section("Human reviews", human_reviews.read, "human_reviews"),
    "retraining": Section("Retraining", retraining.read, "retraining"),
}
#: what takes the place of a section when its reader asks for it.
OTHER_WINDOWS = {
    window.name: Section("Endpoint", partial(endpoint.read, window=window), "endpoint")
    for window in endpoint.WINDOWS[1:]
}
