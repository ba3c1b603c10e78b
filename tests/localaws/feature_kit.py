"""For tests of Feature Store: a group, records, and Athena over the offline store."""

from __future__ import annotations

import uuid
from typing import Any

import boto3
from waiting_kit import until

ROLE = "arn:aws:iam::123456789012:role/feature-store"
BUCKET = "feature-bucket"
FEATURES = {"id": "String", "at": "Fractional", "count": "Integral", "score": "Fractional", "text": "String"}


class Kit:
    """boto3 clients of one localaws and what tests do with them again and again."""

    def __init__(self) -> None:
        self.sagemaker, self.runtime = boto3.client("sagemaker"), boto3.client("sagemaker-featurestore-runtime")
        self.s3, self.athena, self.glue = boto3.client("s3"), boto3.client("athena"), boto3.client("glue")
        self.s3.create_bucket(Bucket=BUCKET)

    def request(self, **changes: Any) -> dict[str, Any]:
        """A CreateFeatureGroup request with both stores."""
        given = {
            "FeatureGroupName": f"group-{uuid.uuid4().hex[:12]}",
            "RecordIdentifierFeatureName": "id",
            "EventTimeFeatureName": "at",
            "FeatureDefinitions": [{"FeatureName": name, "FeatureType": kind} for name, kind in FEATURES.items()],
            "OnlineStoreConfig": {"EnableOnlineStore": True},
            "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/features"}},
            "RoleArn": ROLE,
        }
        return {key: value for key, value in {**given, **changes}.items() if value is not None}

    def group(self, **changes: Any) -> str:
        """A group that is Created; its name."""
        request = self.request(**changes)
        self.sagemaker.create_feature_group(**request)
        self.settled(request["FeatureGroupName"])
        return str(request["FeatureGroupName"])

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_feature_group(FeatureGroupName=name)
        return found

    def settled(self, name: str) -> dict[str, Any]:
        """The description of a group that is no longer being created."""
        until(lambda: self.describe(name)["FeatureGroupStatus"] != "Creating")
        return self.describe(name)

    def put(self, name: str, id: str, at: float | str, *, options: dict[str, Any] | None = None, **body: Any) -> None:
        self.runtime.put_record(FeatureGroupName=name, Record=record(id=id, at=at, **body), **(options or {}))

    def get(self, name: str, id: str, **options: Any) -> dict[str, str] | None:
        """The record as a dict, or None."""
        answer = self.runtime.get_record(FeatureGroupName=name, RecordIdentifierValueAsString=id, **options)
        if "Record" not in answer:
            return None
        return {value["FeatureName"]: value["ValueAsString"] for value in answer["Record"]}

    def query(self, name: str, sql: str) -> list[tuple[str | None, ...]]:
        """Rows that Athena gives; ``{table}`` stands for the group's table."""
        catalog = self.describe(name)["OfflineStoreConfig"]["DataCatalogConfig"]
        table = f'"{catalog["Database"]}"."{catalog["TableName"]}"'
        query = self.athena.start_query_execution(
            QueryString=sql.format(table=table),
            ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
        )["QueryExecutionId"]
        state: dict[str, Any] = {}

        def ended() -> bool:
            state.update(self.athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"])
            return state["State"] not in ("QUEUED", "RUNNING")

        until(ended)
        assert state["State"] == "SUCCEEDED", state.get("StateChangeReason")
        rows = self.athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        return [tuple(value.get("VarCharValue") for value in row["Data"]) for row in rows[1:]]

    def count(self, name: str) -> int:
        """Rows in the offline store."""
        return int(self.query(name, "SELECT count(*) FROM {table}")[0][0] or 0)

    def objects(self, name: str) -> list[str]:
        """Keys of the offline store, below ``data/``."""
        uri = self.describe(name)["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        found = self.s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
        return [item["Key"].removeprefix(f"{prefix}/") for item in found]


def record(**body: Any) -> list[dict[str, str]]:
    return [{"FeatureName": name, "ValueAsString": str(value)} for name, value in body.items()]
