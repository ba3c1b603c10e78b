"""A crawler's Configuration: JSON text that says how to group objects and how to write the catalog."""

from __future__ import annotations

import json
from typing import Any

from localaws.glue.crawling import catalog, grouping

#: what may stand in it, with the values that localaws honours; ``None``: checked in code.
_KNOWN: dict[tuple[str, ...], tuple[Any, ...] | None] = {
    ("Version",): (1, 1.0),
    ("Grouping", "TableGroupingPolicy"): ("CombineCompatibleSchemas",),
    ("Grouping", "TableLevelConfiguration"): None,
    ("CrawlerOutput", "Partitions", "AddOrUpdateBehavior"): ("InheritFromTable",),
    ("CrawlerOutput", "Tables", "AddOrUpdateBehavior"): ("MergeNewColumns",),
    ("CreatePartitionIndex",): (False,),
}


def parse(text: str | None) -> dict[tuple[str, ...], Any]:
    """
    Parse the settings, by their path such as ``("Grouping", "TableLevelConfiguration")``.

    :raises ValueError: not JSON, or a setting that Glue does not know.
    :raises NotImplementedError: a setting of Glue's that localaws does not do, by name.
    """
    if not text:
        return {}
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"Configuration is not JSON: {error}") from error
    if not isinstance(document, dict) or "Version" not in document:
        raise ValueError("Configuration must be a JSON object with a Version")
    settings = dict(_leaves(document, ()))
    for path, value in settings.items():
        _check(path, value)
    return settings


def _leaves(value: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*path, key))]


def _check(path: tuple[str, ...], value: Any) -> None:
    name = ".".join(path)
    if path not in _KNOWN:
        raise NotImplementedError(f"Configuration {name}")
    allowed = _KNOWN[path]
    if allowed is not None and value not in allowed:
        raise NotImplementedError(f"Configuration {name} {json.dumps(value)}")
    if allowed is None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"Configuration {name} must be a level from 1 (the bucket) on")


def grouping_policy(text: str | None) -> grouping.Policy:
    """Return how to group, from the text."""
    settings = parse(text)
    return grouping.Policy(
        combine=("Grouping", "TableGroupingPolicy") in settings,
        level=settings.get(("Grouping", "TableLevelConfiguration")),
    )


def catalog_policy(text: str | None, schema_change_policy: dict[str, str]) -> catalog.Policy:
    """Return how to write, from SchemaChangePolicy and the text."""
    settings = parse(text)
    return catalog.Policy(
        update=schema_change_policy.get("UpdateBehavior", "UPDATE_IN_DATABASE"),
        delete=schema_change_policy.get("DeleteBehavior", "DEPRECATE_IN_DATABASE"),
        merge_new_columns=("CrawlerOutput", "Tables", "AddOrUpdateBehavior") in settings,
        inherit=("CrawlerOutput", "Partitions", "AddOrUpdateBehavior") in settings,
    )
