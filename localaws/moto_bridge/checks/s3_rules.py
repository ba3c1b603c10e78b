"""S3: what an operation asks for beyond its model."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

from localaws.core.errors import AwsError, NotImplementedByLocalAws
from localaws.core.operations import service_model
from localaws.gateway import s3_keys
from localaws.gateway.protocol.http import HttpRequest
from localaws.gateway.protocol.xml import MalformedXML
from localaws.moto_bridge.checks import policies

_MOST_DELETED = 1000
#: of an upload.
_MOST_PARTS = 10_000
_GRANTEES = re.compile(
    r'\s*(id|uri|emailaddress)\s*=\s*("[^"]+"|[^",]+)(\s*,\s*(id|uri|emailaddress)\s*=\s*("[^"]+"|[^",]+))*', re.I
)
#: of buckets that are long there too: the rules for new ones are stricter.
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
_SOURCE_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")

Rule = Callable[[dict[str, Any], HttpRequest], None]


class InvalidArgument(AwsError):
    """A header or a parameter of the query has a value that it cannot have."""

    code = "InvalidArgument"
    status = 400


def check(operation: str, parameters: dict[str, Any], request: HttpRequest) -> None:
    """
    Check what S3 refuses though the model allows it.

    :raises AwsError: the request is such a one.
    """
    _names_and_numbers(parameters)
    _grants(parameters)
    _copy_source(parameters)
    for rule in _RULES.get(operation, ()):
        rule(parameters, request)


def _names_and_numbers(parameters: dict[str, Any]) -> None:
    if not _BUCKET.fullmatch(parameters.get("Bucket", "bucket")):
        raise AwsError("The specified bucket is not valid.", code="InvalidBucketName", status=400)
    for name in ("MaxKeys", "MaxUploads", "MaxParts", "PartNumberMarker"):
        if not 0 <= int(parameters.get(name, 0)) < 2**31:
            raise InvalidArgument(
                f"Argument {name[0].lower()}{name[1:]} must be an integer between 0 and 2147483647",
                ArgumentName=name,
                ArgumentValue=parameters[name],
            )


def _grants(parameters: dict[str, Any]) -> None:
    for name, value in parameters.items():
        if name.startswith("Grant") and not _GRANTEES.fullmatch(value):
            raise InvalidArgument("Argument format not recognized", ArgumentName=name, ArgumentValue=value)


def _copy_source(parameters: dict[str, Any]) -> None:
    if "CopySource" not in parameters:
        return
    try:
        path = unquote(urlsplit(parameters["CopySource"]).path)
    except ValueError:
        path = ""
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket or not key:
        raise InvalidArgument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
        )


def _location(parameters: dict[str, Any], request: HttpRequest) -> None:
    wanted = parameters.get("CreateBucketConfiguration", {}).get("LocationConstraint")
    # Of its own region moto says the same.
    if wanted not in (None, "us-east-1", *_locations()):
        raise AwsError(
            "The specified location-constraint is not valid",
            code="InvalidLocationConstraint",
            status=400,
            LocationConstraint=wanted,
        )


@cache
def _locations() -> tuple[str, ...]:
    return tuple(service_model("s3").shape_for("BucketLocationConstraint").enum)


def _policy(parameters: dict[str, Any], request: HttpRequest) -> None:
    policies.check(parameters["Policy"])


def _delete_objects(parameters: dict[str, Any], request: HttpRequest) -> None:
    objects = parameters["Delete"]["Objects"]
    if not 1 <= len(objects) <= _MOST_DELETED:
        raise MalformedXML
    for each in objects:
        s3_keys.check_name(each["Key"])


def _versioning(parameters: dict[str, Any], request: HttpRequest) -> None:
    configuration = parameters["VersioningConfiguration"]
    if configuration.get("MFADelete") == "Enabled":
        raise NotImplementedByLocalAws("localaws does not implement MFADelete of s3 PutBucketVersioning.")
    if "Status" not in configuration:
        raise AwsError(
            "The Versioning element must be specified", code="IllegalVersioningConfigurationException", status=400
        )


def _no_stray_query(parameters: dict[str, Any], request: HttpRequest) -> None:
    for name, _ in request.query:
        if name in ("partNumber", "uploadId", "uploads"):
            raise InvalidArgument(
                "This operation does not accept a query-string.", ArgumentName="ResourceType", ArgumentValue=name
            )


def _parts(parameters: dict[str, Any], request: HttpRequest) -> None:
    parts = parameters.get("MultipartUpload", {}).get("Parts", [])
    if not parts or any("PartNumber" not in part or not part.get("ETag") for part in parts):
        raise MalformedXML
    numbers = [part["PartNumber"] for part in parts]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise AwsError(
            "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
            code="InvalidPartOrder",
            status=400,
        )


def _written_once(parameters: dict[str, Any], request: HttpRequest) -> None:
    if parameters.get("IfNoneMatch", "*") != "*":
        # S3's own answer, and its own 501.
        raise NotImplementedByLocalAws("A header you provided implies functionality that is not implemented")


def _no_match(parameters: dict[str, Any], request: HttpRequest) -> None:
    if "IfMatch" in parameters:
        raise NotImplementedByLocalAws("localaws does not implement If-Match of s3 CompleteMultipartUpload.")


def _part_number(parameters: dict[str, Any], request: HttpRequest) -> None:
    if not 1 <= parameters["PartNumber"] <= _MOST_PARTS:
        raise InvalidArgument(
            f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=parameters["PartNumber"],
        )


def _source_range(parameters: dict[str, Any], request: HttpRequest) -> None:
    if "CopySourceRange" in parameters and not _SOURCE_RANGE.fullmatch(parameters["CopySourceRange"]):
        raise InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the"
            " zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
        )


def _document(member: str, *needed: str) -> Rule:
    """Make the rule that the document is there, with these elements."""

    def rule(parameters: dict[str, Any], request: HttpRequest) -> None:
        if member not in parameters:
            raise AwsError("Request Body is empty", code="MissingRequestBodyError", status=400)
        if any(name not in parameters[member] for name in needed):
            raise MalformedXML

    return rule


def _one_rule(member: str) -> Rule:
    """Make the rule that a configuration has one rule: moto reads no list of them."""

    def rule(parameters: dict[str, Any], request: HttpRequest) -> None:
        if len(parameters[member]["Rules"]) != 1:
            raise MalformedXML

    return rule


def _default_encryption(parameters: dict[str, Any], request: HttpRequest) -> None:
    if "ApplyServerSideEncryptionByDefault" not in parameters["ServerSideEncryptionConfiguration"]["Rules"][0]:
        raise MalformedXML


def _acl(parameters: dict[str, Any], request: HttpRequest) -> None:
    if not any(name == "ACL" or name.startswith("Grant") or name == "AccessControlPolicy" for name in parameters):
        raise AwsError("Your request was missing a required header", code="MissingSecurityHeader", status=400)
    for grant in parameters.get("AccessControlPolicy", {}).get("Grants", ()):
        if "Grantee" not in grant or "Permission" not in grant:
            raise AwsError(
                "The XML you provided was not well-formed or did not validate against our published schema",
                code="MalformedACLError",
                status=400,
            )


def _no_object_policy(parameters: dict[str, Any], request: HttpRequest) -> None:
    # moto reads the headers of this one only.
    if "AccessControlPolicy" in parameters:
        raise NotImplementedByLocalAws("localaws does not implement AccessControlPolicy of s3 PutObjectAcl.")


_RULES: dict[str, tuple[Rule, ...]] = {
    "CreateBucket": (_location,),
    "CompleteMultipartUpload": (_parts, _written_once, _no_match),
    "CopyObject": (_no_stray_query,),
    "DeleteObjects": (_delete_objects,),
    "PutBucketAcl": (_acl,),
    "PutBucketEncryption": (_one_rule("ServerSideEncryptionConfiguration"), _default_encryption),
    "PutBucketOwnershipControls": (_one_rule("OwnershipControls"),),
    "PutBucketPolicy": (_policy,),
    "PutBucketVersioning": (_versioning,),
    "PutObject": (_no_stray_query, _written_once),
    "PutObjectAcl": (_no_object_policy, _acl),
    "PutObjectLegalHold": (_document("LegalHold", "Status"),),
    "PutObjectLockConfiguration": (_document("ObjectLockConfiguration"),),
    "PutObjectRetention": (_document("Retention", "Mode", "RetainUntilDate"),),
    "RestoreObject": (_document("RestoreRequest", "Days"),),
    "UploadPart": (_part_number,),
    "UploadPartCopy": (_part_number, _source_range),
}
