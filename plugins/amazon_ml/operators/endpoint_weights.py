"""SageMaker endpoints: the operator that shares out their traffic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.operators.base import SageMakerOperator, as_mapping
from amazon_ml.operators.endpoint import CHANGING, is_in_progress

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

#: where the weights that a task has found are kept, in the task instance's state store.
_KEY = "amazon_ml.weights_before"
#: with these an endpoint serves nothing, and has no weights to restore.
_GONE = {"Failed", "OutOfService", "Deleting"}


class EndpointWeightsOperator(SageMakerOperator):
    """
    Give the variants of an endpoint these weights, without a new configuration.

    Weights that are so already are left: a retry does nothing. An update that is under way is waited for first.

    Returns ``{"name", "weights", "before"}``: variant -> weight. ``before`` is what the task's first try found, also
    where that try was killed: it is kept in the task's state store.

    :param endpoint_name: the endpoint. Templated.
    :param weights: variant -> weight; variants that are not named keep theirs. Templated: a whole dictionary may come
        from a template, such as another task's ``before``.
    :param counts: variant -> instances, likewise. Templated.
    :param restore: for a teardown. Variants that are gone are passed over, and so is an endpoint that is gone, has
        failed or is being deleted: the task succeeds, with what is left as ``weights``. What is left keeps its weights
        where none of it would have any traffic.
    :raises RequestRefused: AWS knows no such endpoint or variant, or takes no such weights.
    :raises JobFailed: the update failed, with AWS's reason.

    .. seealso:: UpdateEndpointWeightsAndCapacities in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (*SageMakerOperator.template_fields, "endpoint_name", "weights", "counts")
    template_fields_renderers = {"weights": "json", "counts": "json", "tags": "json"}

    def __init__(
        self,
        *,
        endpoint_name: str,
        weights: Mapping[str, float | str] | str | XComArg,
        counts: Mapping[str, int | str] | str | XComArg | None = None,
        restore: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.weights = weights
        self.counts = counts
        self.restore = restore

    def execute(self, context: Context) -> Any:
        """Update the weights that differ, and wait until the endpoint has taken them."""
        self.note_console("Endpoint", self.endpoint_name)
        description = self._describe()
        if description is None:
            self.log.info("Endpoint %s is gone: there is nothing to restore", self.endpoint_name)
            return {"name": self.endpoint_name, "weights": {}, "before": {}}
        if description["EndpointStatus"] in CHANGING:
            return self._wait_first(context)
        before = self._before(context, description)
        wanted = self._wanted(description)
        if not wanted:
            return self._summary(description, before)
        self.log.info("Endpoint %s: %s instead of %s", self.endpoint_name, wanted, before)
        try:
            self.hook.update_weights(self.endpoint_name, wanted)
        except RequestRefused as error:
            if not is_in_progress(error):
                raise
            self.log.info("Endpoint %s takes another change first: %s", self.endpoint_name, error)
            return self._wait_first(context)
        self.check_alive()
        return self.wait(
            context, waiter="endpoint_settled", name=self.endpoint_name, then="execute_complete", before=before
        )

    def execute_again(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """Execute again after the change that was under way."""
        self.check_event(event, "Endpoint")
        return self.execute(context)

    def execute_complete(
        self, context: Context, event: Mapping[str, str] | None = None, *, before: dict[str, float] | None = None
    ) -> dict[str, Any]:
        """Return the result once the endpoint has settled with these weights."""
        self.check_event(event, "Endpoint")
        description = self._describe()
        if description is None:
            return {"name": self.endpoint_name, "weights": {}, "before": before or {}}
        if description["EndpointStatus"] != "InService" or self._wanted(description):
            raise JobFailed(
                f"Endpoint {self.endpoint_name} is {description['EndpointStatus']} without the weights {self.weights}: "
                f"{description.get('FailureReason', 'another change came between; clear this task')}"
            )
        return self._summary(description, before or {})

    def _wait_first(self, context: Context) -> Any:
        return self.wait(context, waiter="endpoint_settled", name=self.endpoint_name, then="execute_again")

    def _describe(self) -> dict[str, Any] | None:
        """Describe the endpoint; None where there is nothing to restore."""
        if not self.restore:
            return self.hook.require("Endpoint", self.endpoint_name)
        description = self.hook.describe("Endpoint", self.endpoint_name)
        return None if description and description["EndpointStatus"] in _GONE else description

    def _before(self, context: Context, description: Mapping[str, Any]) -> dict[str, float]:
        """Return the weights that the first try of this task found."""
        now = _weights(description)
        store: Any = context.get("task_state_store")
        if store is None:
            return now
        kept: dict[str, float] | None = store.get(_KEY)
        if kept is None:
            store.set(_KEY, now)
        return kept or now

    def _wanted(self, description: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what differs, as the request has it."""
        weights = as_mapping(self.weights, "weights", may_lack=self.restore)
        if self.restore and not any(float(weights.get(name, now)) for name, now in _weights(description).items()):
            weights = {}
        counts = as_mapping(self.counts, "counts", may_lack=True)
        variants = {found["VariantName"]: found for found in description.get("ProductionVariants", [])}
        wanted = []
        for name in dict.fromkeys([*variants, *weights, *counts]):
            if self.restore and name not in variants:
                continue
            # A variant that is not there goes into the request: AWS says so.
            found, change = variants.get(name, {}), dict[str, Any]()
            # AWS keeps weights in single precision.
            if name in weights and not math.isclose(
                float(weights[name]), found.get("CurrentWeight", -1.0), rel_tol=1e-6
            ):
                change["DesiredWeight"] = float(weights[name])
            if name in counts and int(counts[name]) != found.get("CurrentInstanceCount"):
                change["DesiredInstanceCount"] = int(counts[name])
            if change:
                wanted.append({"VariantName": name, **change})
        return wanted

    def _summary(self, description: Mapping[str, Any], before: Mapping[str, float]) -> dict[str, Any]:
        self.note_data([], [description["EndpointArn"]])
        return {"name": self.endpoint_name, "weights": _weights(description), "before": dict(before)}


def _weights(description: Mapping[str, Any]) -> dict[str, float]:
    return {each["VariantName"]: float(each["CurrentWeight"]) for each in description.get("ProductionVariants", [])}
