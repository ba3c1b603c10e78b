"""
The text that a model reads of a review: title and body, or the body alone.

A model's archive has a copy of it.
"""

from __future__ import annotations

#: ``title_body``: the title, where there is one, as the first sentence. ``body``: the reference's input.
TEXTS = ("title_body", "body")

_ENDS = tuple(".!?…:;,-")


def model_input(title: str, body: str, text: str) -> str:
    """
    Return what the model reads.

    :param title: blank where the review has none.
    :param text: one of ``TEXTS``.
    """
    title = title.strip()
    if text == "body" or not title:
        return body
    return f"{title} {body}" if title.endswith(_ENDS) else f"{title}. {body}"
