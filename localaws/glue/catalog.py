"""
Requests to the Data Catalog on their way to moto, and its answers on their way back.

moto keeps databases, tables and partitions. Glue does more, and that is done here: names are in lower case whatever
the request says, the database ``default`` always exists, an update archives the version before it unless it is told
not to, and lists have pages.
"""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any, cast

from localaws.core.errors import AwsError, ValidationException
from localaws.core.operations import Forward
from localaws.core.pagination import offset, token_at
from localaws.gateway.protocol.http import Headers, HttpRequest, HttpResponse
from localaws.moto_bridge.glue_pages import Page, only

Body = dict[str, Any]

DEFAULT = "default"
#: list operation -> how many items a page has where the request does not say.
_LISTS = {"GetDatabases": 100, "GetPartitions": 1000, "GetTableVersions": 100, "GetTables": 100}
#: members that are the name of a database or of a table, wherever they are.
_NAMES = ("DatabaseName", "TableName")
#: operations whose Name is that of a database or of a table, and members that hold an input with such a Name.
_NAMED = ("DeleteDatabase", "DeleteTable", "GetDatabase", "GetTable", "UpdateDatabase", "UpdateTable")
_INPUTS = ("DatabaseInput", "TableInput")

#: one table update at a time: its version is compared, and the one before it removed, as one step.
_updates = threading.Lock()


class Catalog:
    """
    One request to the catalog.

    :param forward: moto's entrance.
    """

    def __init__(self, forward: Forward, request: HttpRequest) -> None:
        self._forward = forward
        self._request = request

    def handle(self, operation: str) -> HttpResponse:
        """
        Answer the request.

        :raises AwsError: the request is refused before moto sees it.
        """
        body = _lower_case(operation, self._parsed())
        if DEFAULT in (body.get("DatabaseName"), body.get("Name")) or operation == "GetDatabases":
            self._ensure_default()
        if operation == "UpdateTable":
            with _updates:
                return self._update_table(body)
        return self._list(operation, body) if operation in _LISTS else self._call(operation, body)

    def _list(self, operation: str, body: Body) -> HttpResponse:
        """Answer with one page."""
        segment = body.get("Segment") or {"SegmentNumber": 0, "TotalSegments": 1}
        try:
            start = offset(body.get("NextToken")) or segment["SegmentNumber"]
        except ValidationException as error:
            raise _invalid(error.message) from error
        with only(Page(start, body.get("MaxResults") or _LISTS[operation], segment["TotalSegments"])) as page:
            answer = self._call(operation, body)
        return answer if page.end is None or answer.status != 200 else _with_token(answer, page.end)

    def _parsed(self) -> Body:
        try:
            body = json.loads(self._request.body or b"{}")
        except ValueError as error:
            raise AwsError("The body is not JSON.", code="SerializationException", status=400) from error
        if not isinstance(body, dict):
            raise AwsError("The body is not a JSON object.", code="SerializationException", status=400)
        return body

    def _call(self, operation: str, body: Body) -> HttpResponse:
        """Let moto answer ``operation``, whatever the request's own is."""
        others = [(name, value) for name, value in self._request.headers if name.lower() != "x-amz-target"]
        headers = Headers([*others, ("X-Amz-Target", f"AWSGlue.{operation}")])
        return self._forward("glue", operation, replace(self._request, body=json.dumps(body).encode(), headers=headers))

    def _ensure_default(self) -> None:
        """Create ``default``; that it exists already is no error."""
        if self._call("GetDatabase", {"Name": DEFAULT}).status != 200:
            self._call("CreateDatabase", {"DatabaseInput": {"Name": DEFAULT, "Description": "Default Hive database"}})

    def _update_table(self, body: Body) -> HttpResponse:
        table = body.get("TableInput")
        if not isinstance(table, dict) or not table.get("Name"):
            raise _invalid("TableInput with a Name is required.")
        if body.get("Name", table["Name"]) != table["Name"]:
            raise _invalid(f"Name {body['Name']} is not the Name of TableInput: tables cannot be renamed.")
        current = self._call("GetTable", {"DatabaseName": body.get("DatabaseName"), "Name": table["Name"]})
        if current.status != 200:
            return current
        version = _content(current)["Table"]["VersionId"]
        if body.get("VersionId", version) != version:
            raise AwsError(
                "Update table failed due to concurrent modifications.",
                code="ConcurrentModificationException",
                status=400,
            )
        answer = self._call("UpdateTable", body)
        if answer.status == 200 and body.get("SkipArchive") is True:
            names = {"DatabaseName": body["DatabaseName"], "TableName": table["Name"]}
            self._call("DeleteTableVersion", {**names, "VersionId": version})
        return answer


def _lower_case(operation: str, body: Body) -> Body:
    """Return the body with all names of databases and tables in lower case."""
    names = (*_NAMES, "Name") if operation in _NAMED else _NAMES
    lowered = {key: _lower(value) if key in names else value for key, value in body.items()}
    for key in _INPUTS:
        if isinstance(body.get(key), dict) and "Name" in body[key]:
            lowered[key] = {**body[key], "Name": _lower(body[key]["Name"])}
    if isinstance(body.get("TablesToDelete"), list):
        lowered["TablesToDelete"] = [_lower(name) for name in body["TablesToDelete"]]
    return lowered


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _with_token(answer: HttpResponse, end: int) -> HttpResponse:
    """Return an answer of moto's, a JSON object that may be large, with the token of the next page."""
    text = cast(bytes, answer.body).rstrip()
    text = text[:-1] + f', "NextToken": {json.dumps(token_at(end))}}}'.encode()
    headers = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
    return HttpResponse(answer.status, [*headers, ("Content-Length", str(len(text)))], text)


def _content(answer: HttpResponse) -> Body:
    """Return what an answer of moto's, which is never a file, says."""
    content: Body = json.loads(cast(bytes, answer.body))
    return content


def _invalid(message: str) -> AwsError:
    return AwsError(message, code="InvalidInputException", status=400)
