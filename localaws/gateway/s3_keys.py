"""Which keys S3 takes for its objects: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html."""

from __future__ import annotations

from urllib.parse import unquote

from localaws.core.errors import AwsError
from localaws.gateway.protocol.http import HttpRequest

#: bytes of UTF-8.
LONGEST = 1024


class InvalidURI(AwsError):
    """The path to the object leads out of its bucket."""

    code = "InvalidURI"
    status = 400


class KeyTooLongError(AwsError):
    """The key has more bytes than S3 keeps."""

    code = "KeyTooLongError"
    status = 400


def check(request: HttpRequest, key: str) -> None:
    """
    Let only requests pass whose keys S3 takes: the object's own, and that of the one which is copied.

    :param key: the decoded key in the request's path; "" where it names a bucket or nothing.
    :raises InvalidURI: read from left to right, ``..`` leads further up than the segments before it lead down.
    :raises KeyTooLongError: over 1,024 bytes.
    """
    # Headers are read as latin-1. This one is encoded, its slashes too where the client likes, but for the version.
    named, _, _ = request.headers.get("x-amz-copy-source").encode("latin-1", "replace").partition(b"?versionId=")
    source = unquote(named).removeprefix("/")
    for each in (key, source.partition("/")[2]):
        check_name(each)


def check_name(key: str) -> None:
    """
    Let only a key pass that S3 takes.

    :raises InvalidURI: read from left to right, ``..`` leads further up than the segments before it lead down.
    :raises KeyTooLongError: over 1,024 bytes.
    """
    if _climbs(key):
        raise InvalidURI("Couldn't parse the specified URI.")
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > LONGEST:
        raise KeyTooLongError("Your key is too long", Size=size, MaxSizeAllowed=LONGEST)


def _climbs(key: str) -> bool:
    depth = 0
    for segment in key.split("/"):
        # A single dot and an empty segment lead nowhere.
        depth += {"..": -1, ".": 0, "": 0}.get(segment, 1)
        if depth < 0:
            return True
    return False
