"""Logs Insights: moto reads three of the language's commands, and leaves the others out without a word."""

from __future__ import annotations

import re
from typing import Any

from localaws.core.errors import AwsError, NotImplementedByLocalAws

_FIELD = r"@?[A-Za-z_][\w.]*"
_COMMAND = re.compile(
    rf"fields\s+{_FIELD}(\s*,\s*{_FIELD})*|sort\s+{_FIELD}(\s+(asc|desc))?|limit\s+[0-9]{{1,5}}", re.IGNORECASE
)


def check(operation: str, parameters: dict[str, Any], region: str) -> None:
    """
    Check the text of a query.

    :raises NotImplementedByLocalAws: it has a command other than ``fields``, ``sort`` and ``limit``.
    """
    if operation != "StartQuery":
        return
    for command in parameters["queryString"].split("|"):
        text = command.strip()
        if not text:
            raise AwsError("unexpected symbol found", code="MalformedQueryException", status=400)
        if _COMMAND.fullmatch(text) is None:
            raise NotImplementedByLocalAws(
                f"localaws does not implement {text[:60]!r} in a query of logs StartQuery: only fields, sort and limit."
            )
