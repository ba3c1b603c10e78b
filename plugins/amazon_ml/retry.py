"""Which failures are tried again: a task's own are few, those of the machinery below it are many."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from amazon_ml.exceptions import JobLost, TaskKilled
from amazon_ml.waiting import transient

if TYPE_CHECKING:
    from airflow.sdk import Context

#: where the failures are counted, in the task instance's state store.
_KEY = "amazon_ml.failures"


class FailureBudget(RetryPolicy):
    """
    Fail a task after a number of exceptions of its own, and at once where the input is wrong.

    ``retries`` counts every try that is lost, also to a killed process, a worker that went away or an API server that
    did not answer, of which the code knows nothing. Set it high. This policy counts what the code itself raised, in the
    task instance's state store, which outlives a try. Not counted is what AWS lost or did not answer, and a kill.

    A ``ValueError`` says that the input is wrong: another try would find the same. ``JSONDecodeError`` is not one of
    them, since half an answer is no JSON either.

    :param retries: tries after a failed one, until the task is cleared.
    """

    def __init__(self, retries: int = 2) -> None:
        self.retries = retries

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide after an exception of the task."""
        if isinstance(exception, ValueError) and not isinstance(exception, json.JSONDecodeError):
            return RetryDecision.fail("the input is wrong")
        if context is None or isinstance(exception, (JobLost, TaskKilled)) or transient(exception):
            return RetryDecision.default()
        failures = self._count(context, max_tries)
        if failures > self.retries:
            return RetryDecision.fail(f"failure {failures} of its own, of which {self.retries} are tried again")
        return RetryDecision.retry(reason=f"failure {failures} of its own: {self.retries} are tried again")

    def serialize(self) -> dict[str, Any]:
        """Return what Airflow stores."""
        return {"retries": self.retries}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> FailureBudget:
        """Return the policy that :meth:`serialize` wrote."""
        return cls(**data)

    def _count(self, context: Context, max_tries: int) -> int:
        """Return this failure's number. Clearing a task raises its ``max_tries``: then counting starts at one."""
        store = context["task_state_store"]
        before: Any = store.get(_KEY)
        counted = before["failures"] if before and before["max_tries"] == max_tries else 0
        store.set(_KEY, {"max_tries": max_tries, "failures": counted + 1})
        return int(counted) + 1
