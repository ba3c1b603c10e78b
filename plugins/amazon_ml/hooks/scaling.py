"""Application Auto Scaling: the instances of endpoints' variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amazon_ml.hooks.base import ServiceHook


def scalable_target(endpoint: str, variant: str) -> dict[str, str]:
    """Return what names the instances of a variant to Application Auto Scaling."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


class ScalingHook(ServiceHook):
    """Scalable targets, as :func:`scalable_target` names them, and their policies."""

    service = "application-autoscaling"

    def register_target(self, target: Mapping[str, str], *, least: int, most: int) -> str | None:
        """Let a target scale between these numbers of instances; return its ARN."""
        answer = self._call("register_scalable_target", **target, MinCapacity=least, MaxCapacity=most)
        arn: str | None = answer.get("ScalableTargetARN")
        return arn

    def deregister_target(self, target: Mapping[str, str]) -> bool:
        """Stop a target's scaling, and return False if it did not scale."""
        return self._call_unless({"ObjectNotFoundException"}, "deregister_scalable_target", **target) is not None

    def policies(self, target: Mapping[str, str], name: str) -> list[dict[str, Any]]:
        """Describe the policies of this name."""
        answer = self._call("describe_scaling_policies", **target, PolicyNames=[name])
        found: list[dict[str, Any]] = answer["ScalingPolicies"]
        return found

    def put_policy(self, target: Mapping[str, str], policy: Mapping[str, Any]) -> dict[str, Any]:
        """Put a policy, and return its PolicyARN and Alarms."""
        return self._call("put_scaling_policy", **target, **policy)

    def activities(self, target: Mapping[str, str]) -> list[dict[str, Any]]:
        """Describe the latest scaling activities."""
        found: list[dict[str, Any]] = self._call("describe_scaling_activities", **target)["ScalingActivities"]
        return found
