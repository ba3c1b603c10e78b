"""ListMultipartUploads page by page, in order of keys: moto's own answers with all uploads, made in 2010."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from moto.core.responses import ActionResult
from moto.s3.responses import S3Response

_MOST = 1000


def install() -> None:
    """Replace moto's answer."""
    setattr(S3Response, "list_multipart_uploads", _list)  # noqa: B010 - mypy refuses the plain assignment


def _list(response: Any) -> Any:
    query = {name: values[0] for name, values in response.querystring.items() if values}
    most = min(int(query.get("max-uploads", _MOST)), _MOST)
    uploads = response.backend.list_multipart_uploads(response.bucket_name).values()
    found = list(islice(_items(sorted(uploads, key=_place), query), most + 1))
    page = found[:most]
    write = quote if query.get("encoding-type") == "url" else str
    owner = {"ID": response.backend.account_id, "DisplayName": "webfile"}
    result = {
        "Bucket": response.bucket_name,
        "KeyMarker": write(query.get("key-marker", "")),
        "UploadIdMarker": query.get("upload-id-marker", ""),
        "MaxUploads": most,
        "IsTruncated": len(found) > most,
        "Uploads": [_upload(item, write(item.key_name), owner) for item in page if not isinstance(item, str)],
        "CommonPrefixes": [{"Prefix": write(item)} for item in page if isinstance(item, str)],
        "Prefix": write(query["prefix"]) if "prefix" in query else None,
        "Delimiter": write(query["delimiter"]) if "delimiter" in query else None,
        "EncodingType": query.get("encoding-type"),
    }
    if result["IsTruncated"] and page:
        last = page[-1]
        result["NextKeyMarker"] = write(last if isinstance(last, str) else last.key_name)
        result["NextUploadIdMarker"] = "" if isinstance(last, str) else last.id
    response.data["Action"] = "ListMultipartUploads"
    return response.serialized(ActionResult(result))


def _place(upload: Any) -> tuple[bytes, str]:
    return upload.key_name.encode("utf-8", "surrogatepass"), upload.id


def _items(uploads: list[Any], query: dict[str, str]) -> Iterator[Any]:
    """Yield uploads, and common prefixes as strings, beyond the markers."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    key_marker, id_marker = query.get("key-marker", ""), query.get("upload-id-marker", "")
    marker = key_marker.encode("utf-8", "surrogatepass")
    common = ""
    for upload in uploads:
        place = _place(upload)
        if not upload.key_name.startswith(prefix) or place[0] < marker:
            continue
        if place[0] == marker and key_marker and not (id_marker and place[1] > id_marker):
            continue
        at = upload.key_name.find(delimiter, len(prefix)) if delimiter else -1
        if at < 0:
            yield upload
        elif (group := upload.key_name[: at + len(delimiter)]) not in (common, key_marker):
            common = group
            yield group


def _upload(upload: Any, key: str, owner: dict[str, str]) -> dict[str, Any]:
    return {
        "Key": key,
        "UploadId": upload.id,
        "Initiator": owner,
        "Owner": owner,
        "StorageClass": upload.storage or "STANDARD",
        # Of an upload that an older version of localaws began it is not known.
        "Initiated": getattr(upload, "initiated", None),
        "ChecksumAlgorithm": upload.metadata.get("x-amz-checksum-algorithm"),
        "ChecksumType": upload.metadata.get("x-amz-checksum-type"),
    }
