"""
The text of a review in the table of the lake, and so what the models that learn from that table have seen.

The folders of the jobs that make the table, learn from it, or ask such a model each hold a link to this module: a job
sees its own folder only.
"""

from __future__ import annotations

_ONE_SPACE_EACH = str.maketrans({",": " ", "\r": " ", "\n": " "})


def as_in_the_table(text: str) -> str:
    """The raw text with one space for each comma, CR and LF."""
    return text.translate(_ONE_SPACE_EACH)
