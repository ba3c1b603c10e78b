"""
SNS: topics without subscribers.

Nobody is sent anything. Each topic has a file ``<home>/localaws/sns/<topic>.jsonl`` with a line for each message, on
disk before the answer. Subscribe answers HTTP 501, since a subscriber would wait in vain.
"""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from pathlib import Path
from typing import Any

from localaws.core import json_lines, pagination
from localaws.core.context import Context
from localaws.core.errors import AwsError, NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service

topic = Service("sns", resource="topic")

Record = dict[str, Any]

KIND = "sns-topic"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
#: AWS's limits: bytes of a message, characters of a subject.
_LONGEST_MESSAGE, _LONGEST_SUBJECT = 256 * 1024, 100
_PAGE = 100


class InvalidParameter(AwsError):
    """A parameter that the model lets through and AWS does not."""

    code = "InvalidParameter"
    status = 400

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"Invalid parameter: {name} Reason: {reason}")


class NotFound(AwsError):
    """No such topic."""

    code = "NotFound"
    status = 404


@topic.operation
def create_topic(request: Record, ctx: Context) -> Record:
    """
    Create a topic, or find the one of this name.

    :raises InvalidParameter: the name is not one that AWS takes, or the topic is there with another display name.
    """
    name, attributes = request["Name"], request.get("Attributes", {})
    if name.endswith(".fifo") or attributes.keys() - {"DisplayName"}:
        raise NotImplementedByLocalAws(
            "CreateTopic of a FIFO topic, or with attributes, is not implemented by localaws."
        )
    if not _NAME.fullmatch(name):
        raise InvalidParameter("Topic Name", "must be of letters, digits, - and _, and at most 256 characters")
    arn = ctx.arn("sns", name)
    record = {"TopicArn": arn, "DisplayName": attributes.get("DisplayName", ""), "Tags": request.get("Tags", [])}
    if not ctx.store.insert(KIND, arn, record):
        found = _topic(arn, ctx)
        if attributes.get("DisplayName", found["DisplayName"]) != found["DisplayName"]:
            raise InvalidParameter("Attributes", "Topic already exists with different attributes")
        if request.get("Tags", found["Tags"]) != found["Tags"]:
            raise InvalidParameter("Tags", "Topic already exists with different tags")
    return {"TopicArn": arn}


@topic.operation
def list_topics(request: Record, ctx: Context) -> Record:
    """Return the ARNs of all topics."""
    try:
        page, more = pagination.page(ctx.store.all(KIND), request, default_size=_PAGE)
    except ValidationException as error:
        raise InvalidParameter("NextToken", "is not one that was given") from error
    return {"Topics": [{"TopicArn": found["TopicArn"]} for found in page], **more}


@topic.operation
def get_topic_attributes(request: Record, ctx: Context) -> Record:
    """Return a topic's attributes; nobody subscribes."""
    found = _topic(request["TopicArn"], ctx)
    counts = {f"Subscriptions{state}": "0" for state in ("Confirmed", "Pending", "Deleted")}
    attributes = {"TopicArn": found["TopicArn"], "Owner": ctx.account_id, "DisplayName": found["DisplayName"], **counts}
    return {"Attributes": attributes}


@topic.operation
def list_tags_for_resource(request: Record, ctx: Context) -> Record:
    """Return a topic's tags."""
    return {"Tags": _topic(request["ResourceArn"], ctx)["Tags"]}


@topic.operation
def delete_topic(request: Record, ctx: Context) -> Record:
    """Delete a topic, if it is there; the file of its messages stays."""
    ctx.store.delete(KIND, request["TopicArn"])
    return {}


@topic.operation
def publish(request: Record, ctx: Context) -> Record:
    """
    Write a message into the topic's file.

    :raises NotFound: there is no such topic.
    :raises InvalidParameter: no topic is named, or AWS would not take message or subject.
    """
    if "PhoneNumber" in request or ":endpoint/" in request.get("TargetArn", ""):
        raise NotImplementedByLocalAws("Publish to a phone is not implemented by localaws.")
    arn = request.get("TopicArn") or request.get("TargetArn")
    if not arn:
        raise InvalidParameter("TopicArn or TargetArn", "no value for required parameter")
    found = _topic(arn, ctx)
    message = {
        "MessageId": str(uuid.uuid4()),
        "Timestamp": ctx.now().isoformat(timespec="milliseconds"),
        "TopicArn": found["TopicArn"],
        **({"Subject": _subject(request["Subject"])} if "Subject" in request else {}),
        "Message": _message(request),
        **({"MessageAttributes": _attributes(request)} if request.get("MessageAttributes") else {}),
    }
    json_lines.append(messages(ctx.home, arn), [message])
    return {"MessageId": message["MessageId"]}


def messages(home: Path, arn: str) -> Path:
    """Return the file of a topic's messages."""
    return home / "sns" / f"{arn.rpartition(':')[2]}.jsonl"


def _topic(arn: str, ctx: Context) -> Record:
    if not re.fullmatch(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]+", arn):
        raise InvalidParameter("TopicArn", f"{arn} is not the ARN of a topic")
    found = ctx.store.get(KIND, arn)
    if found is None:
        raise NotFound("Topic does not exist")
    return found


def _subject(subject: str) -> str:
    bad = any(unicodedata.category(each).startswith("C") or not each.isascii() for each in subject)
    if bad or not subject.strip() or len(subject) > _LONGEST_SUBJECT:
        raise InvalidParameter("Subject", f"must be ASCII without line breaks, {_LONGEST_SUBJECT} characters at most")
    return subject


def _message(request: Record) -> str:
    """Return what a subscriber of no special protocol would read."""
    message: str = request["Message"]
    if not message:
        raise InvalidParameter("Message", "Empty message")
    if len(message.encode()) > _LONGEST_MESSAGE:
        raise InvalidParameter("Message", "Message too long")
    if request.get("MessageStructure", "") == "":
        return message
    if request["MessageStructure"] != "json":
        raise InvalidParameter("MessageStructure", "must be json")
    try:
        by_protocol = json.loads(message)
    except ValueError as error:
        raise InvalidParameter("Message Structure", "JSON message body failed to parse") from error
    if not isinstance(by_protocol, dict) or not isinstance(by_protocol.get("default"), str):
        raise InvalidParameter("Message Structure", "No default entry in JSON message body")
    return str(by_protocol["default"])


def _attributes(request: Record) -> Record:
    given: Record = request["MessageAttributes"]
    if any("BinaryValue" in each for each in given.values()):
        raise NotImplementedByLocalAws("Publish with binary attributes is not implemented by localaws.")
    return given
