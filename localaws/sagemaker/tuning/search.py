"""What one training job definition of a tuning job searches: its ranges, and the metric that judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]

#: Tuning jobs in the store.
KIND = "hyper-parameter-tuning-job"


@dataclass(frozen=True)
class Search:
    """
    The search of one training job definition. A tuning job has one, or as many as it has TrainingJobDefinitions.

    :param metric: Name of the objective metric.
    :param direction: ``Maximize`` or ``Minimize``.
    :param ranges: ParameterRanges of the request.
    :param definition: The HyperParameterTrainingJobDefinition.
    """

    metric: str
    direction: str
    ranges: Record
    definition: Record = field(repr=False)

    @property
    def sign(self) -> int:
        """1 where more of the metric is better, else -1."""
        return 1 if self.direction == "Maximize" else -1

    @property
    def name(self) -> str | None:
        """The DefinitionName, which only several definitions need."""
        return self.definition.get("DefinitionName")

    def to_record(self) -> Record:
        """Return what the store keeps beside the definition itself."""
        return {"Metric": self.metric, "Direction": self.direction, "Ranges": self.ranges}


def searches(record: Mapping[str, Any]) -> list[Search]:
    """Return the searches of a tuning job's record."""
    kept = record["_Definition"]
    definitions = record.get("TrainingJobDefinitions") or [record["TrainingJobDefinition"]]
    # A record of a version that knew one search only has its members in the definition itself.
    each = kept.get("Searches", [kept])
    return [
        Search(found["Metric"], found["Direction"], found["Ranges"], definition)
        for found, definition in zip(each, definitions, strict=True)
    ]


def search_of(record: Mapping[str, Any], number: int) -> tuple[Search, int]:
    """Return the search of the training job ``number``, from 1, and its number within that search: they take turns."""
    found = searches(record)
    turn, place = divmod(number - 1, len(found))
    return found[place], turn + 1
