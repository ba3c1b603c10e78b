"""Where AWS is known to take what botocore's model forbids."""

from __future__ import annotations

from localaws.gateway.protocol.validate import Failure

#: (service, operation or "*", the member's path, what the constraint is about) -> the reason.
STALE: dict[tuple[str, str, str, str], str] = {
    (
        "glue",
        "*",
        "schemaDefinition",
        "pattern",
    ): "the pattern is .*\\S.*, in which a dot is no line break, and definitions have several lines",
    (
        "s3",
        "CreateBucket",
        "createBucketConfiguration.locationConstraint",
        "enum",
    ): "us-east-1 is no choice, and refused by a code of its own; so are regions that nobody knows",
}


def without_stale(service: str, operation: str, found: list[Failure]) -> list[Failure]:
    """Keep the failures that AWS too would see."""
    return [failure for failure in found if not _is_stale(service, operation, failure)]


def _is_stale(service: str, operation: str, failure: Failure) -> bool:
    return any(
        name == service and of in ("*", operation) and failure.at == at and kind in failure.text
        for name, of, at, kind in STALE
    )
