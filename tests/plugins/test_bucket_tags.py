"""The bucket is tagged where we have made it, and left alone where somebody else has."""

from __future__ import annotations

from typing import Any

from operator_kit import FakeTask

from include.reviews.bucket import tag_bucket


def _tags(s3: Any, bucket: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}


def test_a_bucket_without_tags_gets_ours_once(aws: Any, ti: FakeTask) -> None:
    aws("s3").create_bucket(Bucket="fresh-bucket")
    assert tag_bucket("fresh-bucket", ti) is True
    made = _tags(aws("s3"), "fresh-bucket")
    assert made.items() >= {"project": "sentiment", "dag": ti.dag_id, "run": ti.run_id, "expires-at": "never"}.items()
    assert tag_bucket("fresh-bucket", FakeTask(run_id="another")) is False
    assert _tags(aws("s3"), "fresh-bucket") == made


def test_tags_of_somebody_else_stay(aws: Any, ti: FakeTask) -> None:
    aws("s3").create_bucket(Bucket="their-bucket")
    aws("s3").put_bucket_tagging(Bucket="their-bucket", Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
    assert tag_bucket("their-bucket", ti) is False
    assert _tags(aws("s3"), "their-bucket") == {"team": "ml"}
