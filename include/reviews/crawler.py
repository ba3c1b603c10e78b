"""The Glue crawler that registers the transformed reviews, and the classifier that tells it how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.settings import Settings


def define(settings: Settings, *, target: str, tags: Mapping[str, str] | None = None) -> str:
    """
    Create the database, the crawler and its CSV classifier, or bring them up to date; safe to repeat.

    :param target: the S3 URI that the crawler reads.
    :param tags: on the crawler, where it is created.
    :return: the crawler's name.
    """
    from airflow.providers.amazon.aws.hooks.glue_crawler import GlueCrawlerHook

    hook: Any = GlueCrawlerHook()  # type: ignore[no-untyped-call]
    classifier = f"{settings.database}-csv"
    _put_database(hook.glue_client, settings.database)
    _put_classifier(hook.glue_client, classifier)
    crawler: dict[str, Any] = {
        "Name": f"{settings.database}-transformed",
        "Role": settings.role_arn,
        "DatabaseName": settings.database,
        "Description": "Registers the transformed reviews as the table that Athena queries",
        "Targets": {"S3Targets": [{"Path": target}]},
        "Classifiers": [classifier],
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DEPRECATE_IN_DATABASE"},
    }
    if hook.has_crawler(crawler["Name"]):
        hook.update_crawler(**crawler)
    else:
        hook.create_crawler(**crawler, Tags=dict(tags or {}))
    return str(crawler["Name"])


def _put_database(glue: Any, name: str) -> None:
    with suppress(glue.exceptions.AlreadyExistsException):
        glue.create_database(DatabaseInput={"Name": name, "Description": "Customer reviews"})


def _put_classifier(glue: Any, name: str) -> None:
    # Reviews hold commas and quotes: OpenCSVSerDe is the one that reads quoted values right.
    csv = {"Name": name, "Delimiter": ",", "QuoteSymbol": '"', "ContainsHeader": "PRESENT", "Serde": "OpenCSVSerDe"}
    try:
        glue.create_classifier(CsvClassifier=csv)
    except glue.exceptions.AlreadyExistsException:
        glue.update_classifier(CsvClassifier=csv)
