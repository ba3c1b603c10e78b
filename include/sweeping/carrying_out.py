"""Stopping and deleting what a report has, as often as it takes: what is gone or stopped already is as good."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import RequestRefused
from include.sweeping.selection import DELETE, EXPIRE, KEEP, RUN, in_use

if TYPE_CHECKING:
    from amazon_ml.hooks.inventory import InventoryHook
    from include.sweeping.inventory import Inventory

Record = Mapping[str, Any]

REFUSED = "refused"
#: seconds between two looks at an endpoint that changes.
_PAUSE = 5.0


class CarryOut:
    """
    Does what a report says, in its order: what starts others first, endpoints before what they use.

    A kill at any point leaves some of it done; the next try does the rest. What is used by then is left alone.

    :param retention_days: for log groups.
    :param only_unchanged: an endpoint that was updated or scaled since the report was made is left alone too.
    """

    def __init__(self, inventory: Inventory, *, retention_days: int = 30, only_unchanged: bool = False) -> None:
        self.inventory = inventory
        self.hook: InventoryHook = inventory.hook
        self.retention_days = retention_days
        self.only_unchanged = only_unchanged

    def all(self, findings: Sequence[Record]) -> list[dict[str, Any]]:
        """
        Return the findings with ``outcome``: "deleted", "stopped", "was gone", "left: ...", or "refused: ...".

        What AWS refuses does not keep the rest from being done.
        """
        todo = [each for each in findings if each["action"] != KEEP]
        running = [each for each in todo if each["kind"] in RUN]
        endpoints = [each for each in todo if each["kind"] == "Endpoint"]
        rest = [each for each in todo if each["kind"] not in (*RUN, "Endpoint")]
        done = [{**each, "outcome": self._try(self._stop, each)} for each in running]
        done += [{**each, "outcome": self._try(self._endpoint, each)} for each in endpoints]
        # By now the endpoints of this report are gone, and what is used is used by others.
        used = in_use(self.inventory.serving())
        return [*done, *({**each, "outcome": self._try(partial(self._other, used), each)} for each in rest)]

    @staticmethod
    def _try(act: Callable[[Record], str], finding: Record) -> str:
        try:
            return act(finding)
        except RequestRefused as error:
            return f"{REFUSED}: {error}"

    def _stop(self, finding: Record) -> str:
        self.hook.stop(finding["kind"], finding["name"])
        return "stopped"

    def _endpoint(self, finding: Record) -> str:
        """Delete an endpoint once it has settled, with its scaling, and wait until it is gone."""
        from amazon_ml.operators.endpoint import CHANGING

        name, deleted = finding["name"], False
        while (found := self.hook.describe("Endpoint", name)) is not None:
            if found["EndpointStatus"] == "Deleting":
                deleted = True
            elif found["EndpointStatus"] not in CHANGING:
                changed = found["LastModifiedTime"].isoformat() != finding["changed"]
                if self.only_unchanged and changed and not deleted:
                    return f"left: changed at {found['LastModifiedTime']:%Y-%m-%d %H:%M:%S}, after the report"
                self._stop_scaling(found)
                deleted = self.hook.delete("Endpoint", name) or deleted
                continue
            time.sleep(_PAUSE)
        return "deleted" if deleted else "was gone"

    def _stop_scaling(self, endpoint: Record) -> None:
        from amazon_ml.hooks.scaling import ScalingHook, scalable_target

        for variant in endpoint.get("ProductionVariants", ()):
            target = scalable_target(endpoint["EndpointName"], variant["VariantName"])
            self.hook.sibling(ScalingHook).deregister_target(target)

    def _other(self, used: Mapping[tuple[str, str], str], finding: Record) -> str:
        if endpoint := used.get((finding["kind"], finding["name"])):
            return f"left: endpoint {endpoint} uses it"
        actions: dict[str, Callable[[], bool]] = {
            "S3Object": lambda: self._delete_object(finding["name"]),
            "LogGroup": lambda: self._change_group(finding),
        }
        act = actions.get(finding["kind"], lambda: self.hook.delete(finding["kind"], finding["name"]))
        words = {DELETE: "deleted", EXPIRE: f"keeps {self.retention_days} days"}
        return words[finding["action"]] if act() else "was gone"

    def _delete_object(self, uri: str) -> bool:
        from amazon_ml.hooks.s3 import split

        there = self.hook.s3.has_object(*split(uri))
        self.hook.s3.delete_object(*split(uri))
        return there

    def _change_group(self, finding: Record) -> bool:
        if finding["action"] == EXPIRE:
            return self.hook.logs.set_retention(finding["name"], self.retention_days)
        return self.hook.logs.delete_log_group(finding["name"])
