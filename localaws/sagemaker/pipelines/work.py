"""What a step does: the interface between the machine and the kinds of steps."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from localaws.core import operations
from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.protocol.parse import parse
from localaws.gateway.protocol.validate import validate
from localaws.sagemaker.pipelines import failures
from localaws.sagemaker.pipelines.definition import Step

Record = dict[str, Any]

_LONGEST_NAME, _LONGEST_PREFIX = 63, 24


@dataclass(frozen=True)
class Work:
    """
    One attempt at a step.

    :param body: what of the step may hold expressions (:attr:`Step.expressions`), without them.
    :param execution: the execution's id.
    :param id: of the attempt: no two have the same, and a repeated one is the same attempt.
    :param experiment: the ExperimentConfig of all jobs of the execution, if they have one.
    """

    step: Step
    body: Record
    execution: str
    id: str
    experiment: Record | None
    ctx: Context

    @property
    def arguments(self) -> Record:
        """The arguments of the call."""
        found: Record = self.body["Arguments"]
        return found

    def name(self, prefix: str = "pipelines", longest: int = _LONGEST_NAME) -> str:
        """Return the name of what the step makes. It depends on the attempt alone, so that nothing is made twice."""
        digest = hashlib.sha256(self.id.encode()).hexdigest()[:10]
        words = [prefix[:_LONGEST_PREFIX].strip("-"), self.execution, digest]
        left = longest - sum(len(word) + 1 for word in words if word)
        words.insert(2, re.sub("[^A-Za-z0-9]+", "-", self.step.name)[:left].strip("-"))
        return "-".join(word for word in words if word)


@dataclass(frozen=True)
class Result:
    """
    What came of a step that has succeeded.

    :param metadata: as ListPipelineExecutionSteps shows it.
    :param properties: what later steps refer to.
    """

    metadata: Record
    properties: Record = field(default_factory=dict)


class Kind:
    """
    A type of steps.

    :ivar type: as definitions have it.
    :ivar described: the operations whose answers are the step's properties.
    :ivar properties: further properties.
    :ivar cached: the arguments, or members of them (``A.B``), that tell one call from another, as AWS has it; none
        where results are not taken over.
    """

    type: str
    described: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    cached: tuple[str, ...] = ()

    def check(self, step: Step) -> None:
        """
        Refuse a step of a definition that cannot be done.

        :raises AwsError: and why.
        """


class Call(Kind, ABC):
    """A type of steps that are done at once."""

    @abstractmethod
    def run(self, work: Work) -> Result:
        """
        Do it; done before by the same attempt, the same result.

        :raises StepFailure: it has failed.
        """


class Job(Kind, ABC):
    """A type of steps that take their time."""

    @abstractmethod
    def name(self, work: Work) -> str:
        """Return the name of an attempt's job."""

    @abstractmethod
    def begin(self, work: Work) -> Record:
        """
        Start the job of an attempt unless that has been done; the job.

        :raises StepFailure: it cannot be started.
        """

    @abstractmethod
    def look(self, name: str, ctx: Context) -> Record | None:
        """Return the job of that name as it is now, or ``None``."""

    @abstractmethod
    def status(self, job: Record) -> str:
        """Return a job's primary status."""

    @abstractmethod
    def stop(self, job: Record, ctx: Context) -> None:
        """Ask a job to stop."""

    @abstractmethod
    def child(self, job: Record) -> tuple[str, str]:
        """Return kind and name of a job in the store."""

    @abstractmethod
    def metadata(self, work: Work, job: Record) -> Record:
        """Return what the step shows of its job."""

    @abstractmethod
    def result(self, work: Work, job: Record) -> Result:
        """
        Return the result of a job that has completed.

        :raises StepFailure: the step failed although its job completed.
        """


def request(operation: str, arguments: Record) -> Record:
    """
    Arguments as the request of an operation, checked as if they had come over the wire.

    :raises StepFailure: they are not what the operation takes.
    """
    model = operations.operation_model("sagemaker", operation)
    http = HttpRequest("POST", "/", "", Headers([]), json.dumps(arguments).encode())
    try:
        found = parse(model, http)
        validate(model, found)
    except AwsError as error:
        raise failures.of_call(operation, error) from error
    return found
