"""Application Auto Scaling for SageMaker endpoints: the operators that let a variant scale, and stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from amazon_ml.hooks.scaling import ScalingHook, scalable_target
from amazon_ml.operators.base import SageMakerOperator, is_true, with_numbers

if TYPE_CHECKING:
    from airflow.sdk import Context

#: the numbers in a target tracking policy.
_NUMBERS: dict[str, Callable[[Any], Any]] = {"TargetValue": float, "ScaleInCooldown": int, "ScaleOutCooldown": int}


class EndpointScalingOperator(SageMakerOperator):
    """
    Let a variant's instances scale within bounds, by policies.

    A policy that is there already as it should be is left, and its alarms with it: to put it again would
    recreate them without their history. Policies of other names stay as they are.

    Returns ``{"endpoint", "variant", "resource_id", "target", "policies": {name: ARN}, "alarms": [names]}``.

    :param endpoint_name: the endpoint. Templated.
    :param variant: the variant. Templated.
    :param min_capacity: instances at least. Templated.
    :param max_capacity: instances at most. Templated.
    :param policies: as PutScalingPolicy takes them, without the target: ``{"PolicyName", "PolicyType",
        "TargetTrackingScalingPolicyConfiguration" | "StepScalingPolicyConfiguration"}``. Or, by their names,
        TargetTrackingScalingPolicyConfigurations. Templated; numbers that are templates become numbers.
    :raises RequestRefused: AWS knows no such endpoint or variant, or takes no such bounds or policy.

    .. seealso:: RegisterScalableTarget and PutScalingPolicy in the Application Auto Scaling API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "endpoint_name",
        "variant",
        "min_capacity",
        "max_capacity",
        "policies",
    )
    template_fields_renderers = {"policies": "json", "tags": "json"}

    def __init__(
        self,
        *,
        endpoint_name: str,
        variant: str,
        min_capacity: int | str,
        max_capacity: int | str,
        policies: Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.variant = variant
        self.min_capacity = min_capacity
        self.max_capacity = max_capacity
        self.policies = policies

    def execute(self, context: Context) -> dict[str, Any]:
        """Register the target, then put the policies."""
        self.note_console("Endpoint", self.endpoint_name)
        scaling = self.hook.sibling(ScalingHook)
        target = scalable_target(self.endpoint_name, self.variant)
        least, most = int(self.min_capacity), int(self.max_capacity)
        arn = scaling.register_target(target, least=least, most=most)
        policies: dict[str, str] = {}
        alarms: list[str] = []
        for policy in _as_policies(self.policies):
            answer = self._find(scaling, target, policy) or scaling.put_policy(target, policy)
            policies[policy["PolicyName"]] = answer["PolicyARN"]
            alarms += [alarm["AlarmName"] for alarm in answer.get("Alarms", [])]
        self.log.info("%s scales from %d to %d by %s", target["ResourceId"], least, most, ", ".join(policies))
        return {
            "endpoint": self.endpoint_name,
            "variant": self.variant,
            "resource_id": target["ResourceId"],
            "target": arn,
            "policies": policies,
            "alarms": alarms,
        }

    def _find(
        self, scaling: ScalingHook, target: Mapping[str, str], policy: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return the policy if it is there already, as it should be."""
        for found in scaling.policies(target, policy["PolicyName"]):
            if all(_said(found.get(key)) == _said(value) for key, value in policy.items()):
                self.log.info("Policy %s is there already", policy["PolicyName"])
                return dict(found)
        return None


class DeleteEndpointScalingOperator(SageMakerOperator):
    """
    Stop the scaling of variants: their targets go, and with them policies, alarms and scheduled actions.

    What does not scale is passed over. Returns ``{"endpoint", "deleted": [variants that did]}``.

    :param endpoint_name: the endpoint. Templated.
    :param variants: their names, also of variants that may be gone. Templated.
    :param keep: leave them as they are, and end the task as skipped. Templated.

    .. seealso:: DeregisterScalableTarget in the Application Auto Scaling API reference.
    """

    template_fields: Sequence[str] = (*SageMakerOperator.template_fields, "endpoint_name", "variants", "keep")

    def __init__(self, *, endpoint_name: str, variants: Sequence[str], keep: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.variants = list(variants)
        self.keep = keep

    def execute(self, context: Context) -> dict[str, Any]:
        """Deregister the targets."""
        if is_true(self.keep):
            raise AirflowSkipException(f"endpoint {self.endpoint_name} keeps its scaling")
        scaling = self.hook.sibling(ScalingHook)
        deleted = [name for name in self.variants if self._delete(scaling, scalable_target(self.endpoint_name, name))]
        return {"endpoint": self.endpoint_name, "deleted": deleted}

    def _delete(self, scaling: ScalingHook, target: Mapping[str, str]) -> bool:
        """Deregister a target; False where there is none."""
        scaled = scaling.deregister_target(target)
        if not scaled:
            self.log.info("%s does not scale", target["ResourceId"])
        return scaled


def _said(value: Any) -> Any:
    """Return a configuration without the default that AWS writes into it."""
    if not isinstance(value, Mapping):
        return value
    return {key: each for key, each in value.items() if (key, each) != ("DisableScaleIn", False)}


def _as_policies(policies: Any) -> list[dict[str, Any]]:
    """Policies as PutScalingPolicy takes them."""
    if not isinstance(policies, Mapping):
        return [with_numbers(policy, _NUMBERS) for policy in policies]
    tracking = "TargetTrackingScaling"
    return [
        with_numbers({"PolicyName": name, "PolicyType": tracking, f"{tracking}PolicyConfiguration": config}, _NUMBERS)
        for name, config in policies.items()
    ]
