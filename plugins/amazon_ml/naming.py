"""Names and tags of what the operators create: pure functions of the Airflow run, never of the try or the clock."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

#: the longest name that SageMaker takes for a job, a model, an endpoint configuration or an endpoint.
MAX_LENGTH = 63
#: the longest that it takes for an AutoML job.
MAX_AUTO_ML_LENGTH = 32
#: attempts beyond this are a loop that somebody has to look at, and would not fit into the name.
MAX_ATTEMPTS = 999
#: the tag that says from when on a resource may be deleted, and its value where that is never.
EXPIRES, NEVER = "expires-at", "never"

_HASH_LENGTH = 12
_VERSION_LENGTH = 10
_SUFFIX_LENGTH = len(f"-{MAX_ATTEMPTS}")


@dataclass(frozen=True)
class RunKey:
    """What tells one task instance from every other, whatever its try: the identity that names are made of."""

    dag_id: str
    task_id: str
    map_index: int
    run_id: str

    @classmethod
    def of(cls, context: Context) -> RunKey:
        """Return the key of the task instance that ``context`` belongs to."""
        return cls.of_task(context["ti"])

    @classmethod
    def of_task(cls, ti: Any) -> RunKey:
        """Return the key of a task instance, of whichever of Airflow's classes for one."""
        return cls(ti.dag_id, ti.task_id, -1 if ti.map_index is None else ti.map_index, ti.run_id)


def job_name(
    dag_id: str,
    task_id: str,
    map_index: int | None,
    run_id: str,
    attempt: int = 1,
    *,
    max_length: int = MAX_LENGTH,
) -> str:
    """
    Return the job's name: ``<dag>-<task>-<hash>``, with ``-<attempt>`` from the second attempt on.

    All attempts of a run share everything before that suffix. Letters, digits and hyphens.

    :param map_index: -1 or None for a task that is not mapped.
    :param attempt: counted from 1.
    :param max_length: of the name of the last attempt that there can be.
    """
    if not 1 <= attempt <= MAX_ATTEMPTS:
        raise ValueError(f"attempt {attempt} of {dag_id}.{task_id}: must be between 1 and {MAX_ATTEMPTS}")
    index = -1 if map_index is None else map_index
    reserve = MAX_LENGTH - max_length + _SUFFIX_LENGTH
    name = _name((dag_id, task_id), [dag_id, task_id, index, run_id], reserve=reserve)
    return name if attempt == 1 else f"{name}-{attempt}"


def unversioned(kind: str) -> str:
    """
    Return the kind of resource without the version of its API: "AutoMLJob" for "AutoMLJobV2".

    Only Create and Describe have versions. Stop, and the members for name and status, are those of the kind.
    """
    return kind.removesuffix("V2")


def identifier(kind: str) -> str:
    """Return the member by which AWS is asked for one of this kind: "TrainingJobName", "PipelineExecutionArn"."""
    return f"{unversioned(kind)}{'Arn' if kind == 'PipelineExecution' else 'Name'}"


def client_token(content: Any) -> str:
    """
    Return a ClientRequestToken: two requests with one token are one request to AWS.

    :param content: anything that JSON can carry, equal where the requests are to be one.
    """
    return _digest(content)


def derived_name(key: RunKey, content: Any) -> str:
    """
    Return the name of a resource that cannot be changed once made (a model): of the run and of what is in it.

    :param content: anything that JSON can carry; another content gives another name.
    """
    return _name((key.dag_id, key.task_id), [*astuple(key), content])


def version_name(name: str, content: Any) -> str:
    """
    Return the name of a version of a resource that cannot be changed once made: of its content, not of the run.

    :param content: anything that JSON can carry; another content gives another name.
    """
    digest = _digest(content)[:_VERSION_LENGTH]
    return f"{name[: MAX_LENGTH - _VERSION_LENGTH - 1].rstrip('-')}-{digest}"


def loop_name(flow_definition_arn: str, item_id: str, batch: str = "") -> str:
    """
    Return the name of an item's human loop, in lower case as A2I has it: however often started, it is one loop.

    :param batch: items of another batch have other loops.
    """
    return _name((item_id,), ["HumanLoop", flow_definition_arn, batch, item_id]).lower()


def endpoint_config_name(endpoint_name: str, key: RunKey, content: Any) -> str:
    """Return the name of an endpoint's configuration: the endpoint's first, then of the run and of its variants."""
    return _name((endpoint_name,), [*astuple(key), endpoint_name, content])


def is_endpoint_config_name(name: str, endpoint_name: str) -> bool:
    """Return True if ``name`` is one that :func:`endpoint_config_name` gives for this endpoint."""
    readable, _, digest = name.rpartition("-")
    return readable == _readable((endpoint_name,), _room()) and bool(
        re.fullmatch(f"[0-9a-f]{{{_HASH_LENGTH}}}", digest)
    )


def tags(
    key: RunKey, *more: Mapping[str, str], project: str = "", expires: datetime | None = None
) -> list[dict[str, str]]:
    """
    Return AWS's tag list for what this task instance creates: where it comes from, until when, and the caller's own.

    ``dag`` and ``run`` say the same as ``airflow:dag_id`` and ``airflow:run_id``, under the names that people filter
    and split bills by.

    :param more: later mappings win. Characters that AWS refuses become ``_``; values are cut at 256 characters.
    :param project: whose it is, as tag ``project``; without one there is no such tag.
    :param expires: from when on it may be deleted, as tag ``expires-at``; None for :data:`NEVER`.
    """
    merged = {
        "airflow:dag_id": key.dag_id,
        "airflow:task_id": key.task_id,
        "airflow:run_id": key.run_id,
        **({"project": project} if project else {}),
        "dag": key.dag_id,
        "run": key.run_id,
        EXPIRES: expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if expires else NEVER,
    }
    for mapping in more:
        merged.update(mapping)
    return [{"Key": _tag_text(name, 128), "Value": tag_value(str(value))} for name, value in merged.items()]


def _name(readable: Sequence[str], identity: Sequence[Any], reserve: int = 0) -> str:
    digest = _digest(identity)[:_HASH_LENGTH]
    prefix = _readable(readable, _room(reserve))
    return f"{prefix}-{digest}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _room(reserve: int = 0) -> int:
    return MAX_LENGTH - reserve - _HASH_LENGTH - 1


def _readable(parts: Sequence[str], room: int) -> str:
    """Join the parts by hyphens, in AWS's characters and at most ``room``, each shortened before the next one is."""
    slugs = [slug for part in parts if (slug := re.sub(r"[^a-zA-Z0-9]+", "-", part).strip("-"))]
    cut: list[str] = []
    for position, slug in enumerate(slugs):
        rest = slugs[position + 1 :]
        free = room - sum(len(done) + 1 for done in cut)
        share = free // (len(rest) + 1)
        wanted_by_rest = sum(len(other) + 1 for other in rest)
        cut.append(slug[: max(share, free - wanted_by_rest)].strip("-"))
    return "-".join(part for part in cut if part) or "job"


def tag_value(text: str) -> str:
    """Return a text as it is in the value of a tag."""
    return _tag_text(text, 256)


def _tag_text(text: str, length: int) -> str:
    return re.sub(r"[^\w .:/=+\-@]", "_", text)[:length]
