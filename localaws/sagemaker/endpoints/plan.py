"""What is to be deployed, taken down from model and endpoint config at once: they may be deleted while it serves."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from localaws.sagemaker.endpoints.publishing import Publishing
from localaws.sagemaker.models.containers import model_data

#: seconds that AWS waits for a container's first good health check where the variant does not say.
STARTUP_TIMEOUT = 480


@dataclass(frozen=True)
class VariantPlan:
    """
    One production variant.

    :param count: instances, here model servers.
    :param weight: share of the traffic, relative to the other variants'.
    :param model_data: S3 URI of a ``.tar.gz``, of a folder (ends with ``/``), or ``None``.
    :param random: pick an instance by chance and not the least busy one.
    """

    name: str
    model_name: str
    image: str
    model_data: str | None
    environment: dict[str, str]
    count: int
    weight: float
    startup_timeout: int = STARTUP_TIMEOUT
    random: bool = False


@dataclass(frozen=True)
class Plan:
    """
    All variants of an endpoint config, under a name of its own for its folder.

    :param shadows: variants that get copies of requests, relative to the weight of the one production variant.
    :param capture: DataCaptureConfig, where it is enabled.
    :param metrics: MetricsConfig, where it is given.
    """

    config: str
    variants: tuple[VariantPlan, ...]
    shadows: tuple[VariantPlan, ...] = ()
    capture: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: f"d-{secrets.token_hex(6)}")

    @classmethod
    def of(cls, config: dict[str, Any], models: dict[str, dict[str, Any]]) -> Plan:
        """
        Make the plan.

        :param config: the endpoint config's record.
        :param models: the records of the models that it names.
        """
        capture = config.get("DataCaptureConfig", {})
        production, shadows = (
            tuple(_variant(variant, models[variant["ModelName"]]) for variant in config.get(member, ()))
            for member in ("ProductionVariants", "ShadowProductionVariants")
        )
        return cls(
            config["EndpointConfigName"],
            production,
            shadows,
            capture if capture.get("EnableCapture") else None,
            config.get("MetricsConfig"),
        )

    @property
    def everything(self) -> tuple[VariantPlan, ...]:
        """The variants and their shadows: all that has instances."""
        return (*self.variants, *self.shadows)

    @property
    def publishing(self) -> Publishing:
        """How its metrics are published."""
        return Publishing.of(self.metrics)

    def record(self) -> dict[str, Any]:
        """As JSON, for the store."""
        return asdict(self)

    @classmethod
    def load(cls, record: dict[str, Any]) -> Plan:
        """Load a plan from what :meth:`record` returned."""
        # A record of a version that knew no shadows, capture or metrics has none of them.
        variants, shadows = (
            tuple(VariantPlan(**variant) for variant in record.get(member, ())) for member in ("variants", "shadows")
        )
        return cls(record["config"], variants, shadows, record.get("capture"), record.get("metrics"), record["id"])

    def changed(self, weights: dict[str, float], counts: dict[str, int]) -> Plan:
        """Return the plan with other weights and instance counts, by variant name; other variants keep theirs."""
        return replace(
            self,
            variants=tuple(
                replace(v, weight=weights.get(v.name, v.weight), count=counts.get(v.name, v.count))
                for v in self.variants
            ),
        )


def _variant(variant: dict[str, Any], model: dict[str, Any]) -> VariantPlan:
    container = model["PrimaryContainer"] if "PrimaryContainer" in model else model["Containers"][0]
    return VariantPlan(
        name=variant["VariantName"],
        model_name=variant["ModelName"],
        image=container["Image"],
        model_data=model_data(container),
        environment=container.get("Environment", {}),
        count=variant["InitialInstanceCount"],
        weight=variant["InitialVariantWeight"],
        startup_timeout=variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_TIMEOUT),
        random=variant.get("RoutingConfig", {}).get("RoutingStrategy") == "RANDOM",
    )
