"""SageMaker Feature Store: the operators that make a feature group, and that put records into it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks import feature_store
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

#: seconds between two lines of progress in the log.
_PROGRESS = 5.0


class FeatureGroupOperator(SageMakerOperator):
    """
    Make a feature group, or find it there as it should be.

    One whose creation failed is deleted and recreated by the next try. Returns ``{"name", "arn", "database", "table",
    "s3_uri"}``; the last three are None without an offline store, ``database`` and ``table`` also without a Glue table.

    :param name: the group. Templated.
    :param features: feature -> "String", "Integral" or "Fractional". Templated.
    :param identifier: the feature that tells records apart. Templated.
    :param event_time: the feature that says when a record holds: a String (ISO-8601) or Fractional (Unix seconds).
        Templated.
    :param role_arn: ARN of the role that writes the offline store. Templated.
    :param offline_s3_uri: where the offline store goes; "" for none. Templated.
    :param online: whether to have an online store.
    :param description: for people. Templated.
    :raises RequestRefused: the group is there with another definition.
    :raises JobFailed: creation failed, with AWS's reason.

    .. seealso:: CreateFeatureGroup in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "name",
        "features",
        "identifier",
        "event_time",
        "role_arn",
        "offline_s3_uri",
        "description",
    )
    template_fields_renderers = {"features": "json", "tags": "json"}

    def __init__(
        self,
        *,
        name: str,
        features: Mapping[str, str],
        identifier: str,
        event_time: str,
        role_arn: str,
        offline_s3_uri: str = "",
        online: bool = True,
        description: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.features = dict(features)
        self.identifier = identifier
        self.event_time = event_time
        self.role_arn = role_arn
        self.offline_s3_uri = offline_s3_uri
        self.online = online
        self.description = description

    def execute(self, context: Context) -> Any:
        """Find the group or create it, and wait until it is created."""
        found = self.hook.describe("FeatureGroup", self.name)
        if found and found["FeatureGroupStatus"] == "CreateFailed":
            self.log.info("Feature group %s is CreateFailed: deleting it to recreate it", self.name)
            self.hook.delete("FeatureGroup", self.name)
            found = {**found, "FeatureGroupStatus": "Deleting"}
        if found and found["FeatureGroupStatus"] == "Deleting":
            return self.wait(context, waiter="feature_group_deleted", name=self.name, then="execute_again")
        if found is None:
            try:
                self.hook.create("FeatureGroup", self._request(context))
                self.log.info("Creating feature group %s", self.name)
            except AlreadyExists:
                self.log.info("Feature group %s was made by another process in the meantime", self.name)
        elif found["FeatureGroupStatus"] == "Created":
            self.log.info("Feature group %s is there already", self.name)
            return self._checked(found)
        return self.wait(context, waiter="feature_group_created", name=self.name, then="execute_complete")

    def execute_again(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """Execute again once the group that was in the way is gone."""
        if self.check_event(event, "FeatureGroup")["status"] != "success":
            raise JobFailed(f"Feature group {self.name} could not be deleted")
        return self.execute(context)

    def execute_complete(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """Return the result once the group is created; fail where it is not going to be."""
        event = self.check_event(event, "FeatureGroup")
        found = self.hook.describe("FeatureGroup", self.name)
        if event["status"] != "success" or found is None:
            reason = (found or {}).get("FailureReason", "AWS gives no reason")
            raise JobFailed(f"Feature group {self.name} is {event['resource_status']}: {reason}")
        return self._checked(found)

    def _request(self, context: Context) -> dict[str, Any]:
        request: dict[str, Any] = {
            "FeatureGroupName": self.name,
            "RecordIdentifierFeatureName": self.identifier,
            "EventTimeFeatureName": self.event_time,
            "FeatureDefinitions": [{"FeatureName": name, "FeatureType": kind} for name, kind in self.features.items()],
            "OnlineStoreConfig": {"EnableOnlineStore": self.online},
            "RoleArn": self.role_arn,
            "Tags": self.resource_tags(RunKey.of(context)),
        }
        if self.offline_s3_uri:
            request["OfflineStoreConfig"] = {"S3StorageConfig": {"S3Uri": self.offline_s3_uri}}
        if self.description:
            request["Description"] = self.description
        return request

    def _checked(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result if the group is as this task defines it."""
        storage = found.get("OfflineStoreConfig", {}).get("S3StorageConfig", {})
        is_there = {
            "identifier": found["RecordIdentifierFeatureName"],
            "event_time": found["EventTimeFeatureName"],
            "features": {each["FeatureName"]: each["FeatureType"] for each in found["FeatureDefinitions"]},
            "online": found.get("OnlineStoreConfig", {}).get("EnableOnlineStore", False),
            "offline_s3_uri": storage.get("S3Uri", "").rstrip("/"),
        }
        wanted = {
            "identifier": self.identifier,
            "event_time": self.event_time,
            "features": self.features,
            "online": self.online,
            "offline_s3_uri": self.offline_s3_uri.rstrip("/"),
        }
        if differing := [f"{key} {is_there[key]}, not {wanted[key]}" for key in wanted if is_there[key] != wanted[key]]:
            raise RequestRefused(f"Feature group {self.name} is there with another definition: {'; '.join(differing)}")
        catalog = found.get("OfflineStoreConfig", {}).get("DataCatalogConfig", {})
        return {
            "name": found["FeatureGroupName"],
            "arn": found["FeatureGroupArn"],
            "database": catalog.get("Database"),
            "table": catalog.get("TableName"),
            "s3_uri": storage.get("ResolvedOutputS3Uri"),
        }


class FeatureIngestOperator(SageMakerOperator):
    """
    Put the rows of Parquet, CSV or TSV files in S3 into a feature group, several at a time.

    A row's event time is its own or, where the data has none, the run's logical date: so a retry puts the same records
    with the same times, and a query for the latest of each identifier sees each once. Throttling is tried again with
    backoff. Returns ``{"feature_group", "records", "seconds"}``.

    :param feature_group: the group. Templated.
    :param source: S3 URI of an object, or of a folder with several. Templated.
    :param constants: feature -> value for rows that do not have it, such as the split. Templated.
    :param event_time: ISO-8601, in place of the run's logical date. Templated.
    :param only: feature -> value: other rows are left out. Templated.
    :param stores: "OnlineStore", "OfflineStore"; none for all that the group has.
    :param threads: PutRecord calls at a time.
    :raises BadRecords: a row without identifier, a column that is no feature, or nothing under ``source``.
    :raises RequestRefused: AWS does not take a record; those before it have been put.

    .. seealso:: PutRecord in the SageMaker Feature Store Runtime API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "feature_group",
        "source",
        "constants",
        "event_time",
        "only",
    )
    template_fields_renderers = {"constants": "json", "only": "json", "tags": "json"}

    def __init__(
        self,
        *,
        feature_group: str | XComArg,
        source: str | XComArg,
        constants: Mapping[str, str] | None = None,
        event_time: str = "",
        only: Mapping[str, str] | None = None,
        stores: Sequence[str] = (),
        threads: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.feature_group = feature_group
        self.source = source
        self.constants = dict(constants or {})
        self.event_time = event_time
        self.only = dict(only or {})
        self.stores = tuple(stores)
        self.threads = threads

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the files and put their rows."""
        name, source = str(self.feature_group), str(self.source)
        began = time.monotonic()
        group = self.hook.require("FeatureGroup", name)
        found = feature_store.completed(
            feature_store.rows(self.hook.s3, source), group, self._event_time(context, group), self.constants
        )
        wanted = self.only.items()
        chosen = (row for row in found if wanted <= row.items())
        pooled = {"max_pool_connections": self.threads, **(self.botocore_config or {})}
        runtime = feature_store.FeatureStoreHook(**{**self._hook_parameters, "config": pooled})
        said = began

        def progress(done: int) -> None:
            nonlocal said
            self.check_alive()
            if (now := time.monotonic()) - said > _PROGRESS:
                said = now
                self.log.info("%d records so far, %.0f a second", done, done / (now - began))

        records = feature_store.put_all(runtime, name, chosen, self.threads, progress, self.stores)
        seconds = time.monotonic() - began
        storage = group.get("OfflineStoreConfig", {}).get("S3StorageConfig", {})
        self.note_data([source], [uri for uri in [storage.get("ResolvedOutputS3Uri")] if uri])
        self.log.info("Put %d records of %s into feature group %s in %.1f s", records, source, name, seconds)
        return {"feature_group": name, "records": records, "seconds": round(seconds, 1)}

    def _event_time(self, context: Context, group: Mapping[str, Any]) -> str:
        """Return the event time of rows without one, as the group's feature has it."""
        moment = datetime.fromisoformat(self.event_time) if self.event_time else _run_time(context)
        kinds = {each["FeatureName"]: each["FeatureType"] for each in group["FeatureDefinitions"]}
        if kinds[group["EventTimeFeatureName"]] == "Fractional":
            return f"{moment.timestamp():.3f}"
        return feature_store.iso(moment)


def _run_time(context: Context) -> datetime:
    """Return the run's logical date, or the time after which a run without one may run. Never a try's."""
    run: Any = context["dag_run"]
    moment: datetime = run.logical_date or run.run_after
    return moment
