"""
A review as the tokens that BlazingText learns from: lower case, Penn Treebank's way, no commas or quotation marks.

"I don't love it." -> ``i do n't love it .``

A model must be asked in the tokens that it was trained on.
"""

from __future__ import annotations

import re

#: commas, and quotation marks straight, curly, low and angled.
_LEFT_OUT = re.compile('[,"`\u201c\u201d\u201e\u00ab\u00bb]')
_APOSTROPHES = re.compile("[\u2018\u2019\u00b4]")
#: two words in one: "cannot" is "can not" in the Treebank.
_JOINED = re.compile(r"\b(can)(not)\b|\b(gon|wan)(na)\b|\b(got)(ta)\b|\b(gim|lem)(me)\b")
_TOKEN = re.compile(
    r"""
    \.{2,}                                  # an ellipsis is one token
  | \d[^\W_]*(?:[.:/'-]\d[^\W_]*)*          # 3.5, 10:30, 10-12, 5'8, 34dd
  | (?:[^\W\d_]\.){2,}                      # e.g., u.s.
  | [^\W_]+?(?=n't\b)                       # do of don't
  | n't\b
  | '(?:s|m|d|ll|re|ve)\b
  | [^\W_]+(?:[-_/][^\W_]+)*                # well-made and s/m are one word
  | --+
  | [^\w\s]                                 # any other mark, and emoji, by itself
    """,
    re.VERBOSE,
)


def tokenise(text: str) -> str:
    """Return the tokens of a text, with single spaces between; "" where it has none."""
    plain = _APOSTROPHES.sub("'", _LEFT_OUT.sub(" ", text.lower()))
    plain = _JOINED.sub(lambda match: " ".join(filter(None, match.groups())), plain)
    return " ".join(_TOKEN.findall(plain))
