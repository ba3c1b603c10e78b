"""What the tasks of teardown and sweep_idle do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from amazon_ml.exceptions import RequestRefused
from amazon_ml.naming import tag_value
from include import paths
from include.settings import settings
from include.sweeping import report, selection
from include.sweeping.selection import Finding, Limits

if TYPE_CHECKING:
    from include.sweeping.inventory import Inventory

#: the report of what was found, and of what was done.
FOUND, DONE = "found", "done"
#: sentences in the log for who may wonder why nothing happened.
_DRY = "Nothing was done: {switch}."


def find_selected(params: Any = None, run_folder: str = "") -> dict[str, Any]:
    """
    List what the params of teardown select, in the log and in S3.

    :raises ValueError: they select nothing that there is, or are no selection.
    """
    wanted = wanted_tags(params)
    inventory = _inventory()
    found = selection.tear_down(inventory.of_tags(), wanted, durable=bool(params["durable"]))
    if not found:
        raise ValueError(_nothing(inventory, wanted))
    given = {"selected": ", ".join(f"{key}={value}" for key, value in wanted.items())}
    return _reported(inventory, f"{paths.TEARDOWNS}/{run_folder}", "Teardown", found, given)


def wanted_tags(params: Mapping[str, Any]) -> dict[str, str]:
    """
    Return the tags that a run of teardown selects by, the project's among them.

    :raises ValueError: there is nothing to select by, or the filter is malformed or asks for two values of a key.
    """
    texts = {name: str(params[name]).strip() for name in ("run", "dag", "tags")}
    if not any(texts.values()):
        raise ValueError("say what to tear down: the id of a run, a DAG, or tags")
    named = [f"{name}={tag_value(texts[name])}" for name in ("run", "dag") if texts[name]]
    if unusable := [text for text in named if "," in text]:
        raise ValueError(f"{unusable[0]} has a comma, which no tag of AWS has")
    return selection.parse_filter(",".join([f"project={settings.project}", *named, texts["tags"]]))


def find_idle(params: Any = None, run_folder: str = "") -> dict[str, Any]:
    """
    List what nobody needs any more, in the log and in S3.

    :raises ValueError: a limit is not above 0.
    """
    limits = limits_of(params)
    now = datetime.now(UTC)
    inventory = _inventory()
    found = selection.sweep(inventory.of_rules(limits, now), limits, now)
    return _reported(inventory, f"{paths.SWEEPS}/{run_folder}", "Sweep", found, asdict(limits))


def limits_of(params: Mapping[str, Any]) -> Limits:
    """Return the limits of a run of sweep_idle."""
    return Limits(**{field.name: int(params[field.name]) for field in fields(Limits)})


def carry_out_teardown(params: Any = None, run_folder: str = "") -> dict[str, int]:
    """Stop and delete what was found; skipped for a dry run."""
    if params["dry_run"]:
        raise AirflowSkipException(_DRY.format(switch="this is a dry run. Switch dry_run off to do it"))
    return _carried_out(f"{paths.TEARDOWNS}/{run_folder}", "Teardown", lambda _: True)


def carry_out_sweep(params: Any = None, run_folder: str = "") -> dict[str, int]:
    """Stop and delete what was found; skipped where the run only reports."""
    if not params["delete"]:
        raise AirflowSkipException(_DRY.format(switch="this run only reports. Switch delete on to do it"))
    days = int(params["retention_days"])
    logs = bool(params["log_groups"])
    return _carried_out(
        f"{paths.SWEEPS}/{run_folder}",
        "Sweep",
        lambda finding: logs or finding["kind"] != "LogGroup",
        retention_days=days,
        only_unchanged=True,
    )


def _inventory() -> Inventory:
    from amazon_ml.hooks.inventory import InventoryHook
    from include.sweeping.inventory import Inventory

    return Inventory(InventoryHook(), settings.project, protected=[settings.endpoint_name])


def _reported(
    inventory: Inventory, folder: str, title: str, found: list[Finding], given: Mapping[str, Any]
) -> dict[str, Any]:
    records = [each.as_record() for each in found]
    page = report.page(title, records, list(report.notes({"project": settings.project, **given})))
    report.show(page)
    document = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "given": dict(given), "found": records}
    uri = report.Reports(inventory.hook.s3, folder).write(FOUND, page, document)
    print(f"Report: {uri or 'only in this log: there is no bucket'}")
    return {"report": uri, "found": report.summary(records)}


def _carried_out(folder: str, title: str, chosen: Any, **how: Any) -> dict[str, int]:
    from include.sweeping.carrying_out import REFUSED, CarryOut

    inventory = _inventory()
    reports = report.Reports(inventory.hook.s3, folder)
    found = [each for each in reports.read(FOUND)["found"] if chosen(each)]
    done = CarryOut(inventory, **how).all(found)
    page = report.page(f"{title}: done", done)
    report.show(page)
    uri = reports.write(DONE, page, {"at": datetime.now(UTC).isoformat(timespec="seconds"), "done": done})
    print(f"Report: {uri or 'only in this log: there is no bucket'}")
    if refused := [each["outcome"] for each in done if each["outcome"].startswith(REFUSED)]:
        raise RequestRefused(f"AWS refused {len(refused)} of {len(done)}, the first: {refused[0]}")
    return report.outcomes(done)


def _nothing(inventory: Inventory, wanted: Mapping[str, str]) -> str:
    """Say that nothing has these tags, and which runs there are."""
    selected = " and ".join(f"{key}={value}" for key, value in wanted.items())
    runs = sorted({tags["run"] for tags in inventory.tags.values() if "run" in tags})
    known = f"; runs that have left something: {', '.join(runs[-5:])}" if runs else ""
    return f"no resource has the tags {selected}{known}"
