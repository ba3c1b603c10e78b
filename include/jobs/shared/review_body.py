"""The text of a review in the table of the lake, and so what the models that learn from that table have seen."""

from __future__ import annotations

_ONE_SPACE_EACH = str.maketrans({",": " ", "\r": " ", "\n": " "})


def as_in_the_table(text: str) -> str:
    """Return the raw text with one space for each comma, CR and LF."""
    return text.translate(_ONE_SPACE_EACH)
