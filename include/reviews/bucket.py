"""The bucket of all data: its tags."""

from __future__ import annotations

from typing import Any

from include.settings import settings


def tag_bucket(bucket: str, ti: Any = None) -> bool:
    """
    Tag a bucket as ours, to stay, and tell whether that was needed.

    A bucket that has any tags already is left alone: it was made by somebody else, such as CloudFormation, whose tags
    a request could not repeat, and S3 takes all tags at once.
    """
    from amazon_ml.hooks.s3 import ObjectsHook
    from amazon_ml.naming import RunKey, tags

    s3 = ObjectsHook()
    if s3.bucket_tags(bucket):
        return False
    s3.set_bucket_tags(bucket, tags(RunKey.of_task(ti), project=settings.project))
    return True
