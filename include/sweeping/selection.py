"""
Which resources go: decisions without AWS, from an inventory.

:func:`tear_down` selects by tags, :func:`sweep` by what is not needed any more. Both return a finding for each resource
that they have an opinion on, also of those that stay, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from amazon_ml.naming import EXPIRES, NEVER

DELETE, STOP, EXPIRE, KEEP = "delete", "stop", "set retention", "keep"

#: kinds that run and are stopped; those that consist of others come first, or they would start more.
RUN = ("PipelineExecution", "HyperParameterTuningJob", "AutoMLJob", "TrainingJob", "ProcessingJob", "TransformJob")
#: kinds that serve, in the order in which they go.
SERVE = ("Endpoint", "EndpointConfig", "Model")
#: kinds that are to stay for other runs, and go where somebody says so.
DURABLE = ("Pipeline", "FlowDefinition", "HumanTaskUi", "Workteam", "FeatureGroup")
#: what stays of ended jobs and in CloudWatch.
LEFT = ("S3Object", "LogGroup")
ORDER = (*RUN, *SERVE, *DURABLE, *LEFT)

#: with these an endpoint serves nothing.
_DEAD = {"Failed", "OutOfService"}


@dataclass(frozen=True)
class Resource:
    """
    Something that AWS has.

    :param kind: as SageMaker's operations spell it, or one of :data:`LEFT`; "" for what is not known here.
    :param status: of an endpoint or a job; a job that has ended is "Ended", whatever its end.
    :param uses: names of what it needs: an endpoint its configurations, a configuration its models.
    :param invocations: of an endpoint in the hours that :class:`Limits` names; None where nobody has counted.
    :param retention: days after which a log group drops its events; None for never.
    :param variants: of an endpoint.
    :param ours: it has the project's tag. What has not is there for what it uses.
    :param protected: nobody sweeps it.
    """

    kind: str
    name: str
    arn: str = ""
    status: str = ""
    created: datetime | None = None
    changed: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    invocations: float | None = None
    retention: int | None = None
    variants: tuple[str, ...] = ()
    ours: bool = False
    protected: bool = False


@dataclass(frozen=True)
class Finding:
    """What is to happen to a resource, and why."""

    kind: str
    name: str
    action: str
    reason: str
    arn: str = ""
    changed: str = ""
    dag: str = ""
    run: str = ""

    @classmethod
    def of(cls, resource: Resource, action: str, reason: str) -> Finding:
        """Return a finding on a resource."""
        changed = resource.changed.isoformat() if resource.changed else ""
        origin = {name: str(resource.tags.get(name, "")) for name in ("dag", "run")}
        return cls(resource.kind, resource.name, action, reason, resource.arn, changed, **origin)

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """
    When something is not needed any more.

    :param idle_hours: without an invocation an endpoint is idle.
    :param unused_days: since a configuration or a model was made that no endpoint uses.
    :param tuning_days: since the end of a tuning job whose losers' models are deleted.
    :param retention_days: for log groups that keep their events for ever; one of CloudWatch's numbers.
    :raises ValueError: one of them is not above 0, or CloudWatch does not take it.
    """

    idle_hours: int = 24
    unused_days: int = 30
    tuning_days: int = 30
    retention_days: int = 30

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be above 0, and is {value}")
        if self.retention_days not in RETENTIONS:
            raise ValueError(f"retention_days must be one of {', '.join(map(str, RETENTIONS))}: {self.retention_days}")


#: the numbers of days that PutRetentionPolicy takes.
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


def parse_filter(text: str) -> dict[str, str]:
    """
    Return tags by which to select.

    :param text: ``key=value``, several by commas or line ends.
    :raises ValueError: a part is no ``key=value``, or a key has two values.
    """
    found: dict[str, str] = {}
    for part in (part.strip() for part in text.replace("\n", ",").split(",")):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not part:
            continue
        if not (key and equals and value):
            raise ValueError(f"tags must be key=value, several by commas, and {part!r} is not")
        if found.get(key, value) != value:
            raise ValueError(f"tags ask for {key}={found[key]} and {key}={value}: no resource has both")
        found[key] = value
    return found


def in_use(inventory: Iterable[Resource], without: Iterable[str] = ()) -> dict[tuple[str, str], str]:
    """
    Return what endpoints use: kind and name of configurations and models -> one of the endpoints.

    :param without: names of endpoints that do not count.
    """
    resources = list(inventory)
    configs = {each.name: each for each in resources if each.kind == "EndpointConfig"}
    used: dict[tuple[str, str], str] = {}
    gone = set(without)
    for endpoint in (each for each in resources if each.kind == "Endpoint" and each.name not in gone):
        for config in endpoint.uses:
            used[("EndpointConfig", config)] = endpoint.name
            for model in configs[config].uses if config in configs else ():
                used[("Model", model)] = endpoint.name
    return used


def tear_down(inventory: Sequence[Resource], wanted: Mapping[str, str], *, durable: bool) -> list[Finding]:
    """
    Select what has all the wanted tags.

    What an endpoint uses that is not selected itself stays, and so does what is to stay for ever (the tag
    ``expires-at`` says "never").

    :param durable: what is to stay for ever goes too, where this project knows how to delete it.
    """
    chosen = [each for each in inventory if all(each.tags.get(key) == value for key, value in wanted.items())]
    going = {each.name for each in chosen if each.kind == "Endpoint" and (durable or not _stays(each))}
    used = in_use(inventory, without=going)
    return _sorted(_torn_down(each, used, durable=durable) for each in chosen)


def _torn_down(resource: Resource, used: Mapping[tuple[str, str], str], *, durable: bool) -> Finding:
    if resource.kind in RUN:
        if resource.status == "Ended":
            return Finding.of(resource, KEEP, "has ended, and costs nothing")
        return Finding.of(resource, STOP, f"is {resource.status}")
    if endpoint := used.get((resource.kind, resource.name)):
        return Finding.of(resource, KEEP, f"endpoint {endpoint} uses it")
    if resource.kind not in (*SERVE, *DURABLE):
        return Finding.of(resource, KEEP, "is not deleted here")
    # An unused configuration of an endpoint that is to stay is no use to anybody.
    if _stays(resource) and resource.kind != "EndpointConfig" and not durable:
        return Finding.of(resource, KEEP, f"is to stay ({EXPIRES} is {NEVER})")
    return Finding.of(resource, DELETE, "is selected")


def sweep(inventory: Sequence[Resource], limits: Limits, now: datetime) -> list[Finding]:
    """Select what nobody needs any more, by the rules of ``docs/cleaning_up.md``."""
    used = in_use(inventory)
    rules: dict[str, Callable[[Resource], Iterator[Finding]]] = {
        "Endpoint": lambda each: _endpoint(each, limits, now),
        "EndpointConfig": lambda each: _unused(each, used, limits, now),
        "Model": lambda each: _unused(each, used, limits, now),
        "S3Object": lambda each: _aged(each, limits.tuning_days, now, "the model of a trial that did not win"),
        "LogGroup": lambda each: _log_group(each, inventory, limits, now),
        **dict.fromkeys(RUN, lambda each: _running(each, now)),
    }
    return _sorted(
        finding for each in inventory if each.ours and each.kind in rules for finding in rules[each.kind](each)
    )


def _endpoint(endpoint: Resource, limits: Limits, now: datetime) -> Iterator[Finding]:
    reason = _why_idle(endpoint, limits, now)
    if not reason or endpoint.status == "Deleting":
        return
    if endpoint.protected or _stays(endpoint):
        yield Finding.of(endpoint, KEEP, f"{reason}, and is protected")
    else:
        yield Finding.of(endpoint, DELETE, reason)


def _why_idle(endpoint: Resource, limits: Limits, now: datetime) -> str:
    """Return why an endpoint is not needed; "" where it is."""
    if expired := _expired(endpoint, now):
        return expired
    last = endpoint.changed or endpoint.created
    if last is None or last > now - timedelta(hours=limits.idle_hours):
        return ""
    if endpoint.status in _DEAD:
        return f"is {endpoint.status}, and serves nothing"
    return f"had no invocation for {limits.idle_hours} h" if endpoint.invocations == 0 else ""


def _unused(
    resource: Resource, used: Mapping[tuple[str, str], str], limits: Limits, now: datetime
) -> Iterator[Finding]:
    if (resource.kind, resource.name) in used or resource.protected:
        return
    if expired := _expired(resource, now):
        yield Finding.of(resource, DELETE, f"{expired}, and no endpoint uses it")
    else:
        yield from _aged(resource, limits.unused_days, now, "no endpoint uses it")


def _aged(resource: Resource, days: int, now: datetime, why: str) -> Iterator[Finding]:
    if resource.created and resource.created <= now - timedelta(days=days):
        yield Finding.of(resource, DELETE, f"{why}, for {days} days and more")


def _running(job: Resource, now: datetime) -> Iterator[Finding]:
    if job.status != "Ended" and (expired := _expired(job, now)):
        yield Finding.of(job, STOP, f"{expired}, and still runs")


def _log_group(group: Resource, inventory: Sequence[Resource], limits: Limits, now: datetime) -> Iterator[Finding]:
    _, found, endpoint = group.name.partition("/Endpoints/")
    serving = {each.name for each in inventory if each.kind == "Endpoint"}
    if found and endpoint not in serving:
        old = (group.changed or group.created or now) <= now - timedelta(days=limits.unused_days)
        if old:
            yield Finding.of(
                group, DELETE, f"its endpoint is gone, and nothing was written for {limits.unused_days} days"
            )
            return
    if group.retention is None:
        yield Finding.of(group, EXPIRE, f"keeps its events for ever: {limits.retention_days} days from now on")


def _expired(resource: Resource, now: datetime) -> str:
    """Return since when a resource has been past its tag; "" where it is not, or the tag is not a time."""
    text = resource.tags.get(EXPIRES, NEVER)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return ""
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return f"expired at {text}" if when <= now else ""


def _stays(resource: Resource) -> bool:
    return resource.tags.get(EXPIRES) == NEVER


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    rank = {kind: number for number, kind in enumerate(ORDER)}
    return sorted(findings, key=lambda each: (rank.get(each.kind, len(rank)), each.name))
