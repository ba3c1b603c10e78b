"""How far a job is, in its ``status.json``: the vocabulary that the services turn into their Describe answers."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from localaws.sagemaker.jobs.folder import JobFolder

#: SageMaker's own limit on FailureReason and ExitMessage.
REASON_LIMIT = 1024


class Progress:
    """
    Writes ``status.json`` at each change.

    Its keys: ``Status`` (InProgress, Stopping, Completed, Failed, Stopped), ``SecondaryStatus``, ``Transitions``
    (``{"Status", "StartTime", "EndTime", "StatusMessage"}`` each), ``StartTime``, ``EndTime``, ``LastModifiedTime``,
    ``FailureReason``, ``ExitMessage``, ``ExitCodes`` (by host), ``Metrics``, ``ModelArtifacts``, ``Supervisor`` (its
    process id) and ``Processes`` (ids by host).

    :param body: a status to go on from.
    """

    def __init__(self, folder: JobFolder, body: dict[str, Any] | None = None) -> None:
        self._folder = folder
        self._body: dict[str, Any] = body or {
            "Status": "InProgress",
            "SecondaryStatus": "Starting",
            "Transitions": [],
            "StartTime": self.now(),
            "Supervisor": os.getpid(),
        }

    @staticmethod
    def now() -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)

    @property
    def status(self) -> str:
        """The primary status."""
        return str(self._body["Status"])

    def enter(self, secondary: str, message: str, *, status: str | None = None) -> None:
        """Go on to the next secondary status."""
        now = self.now()
        transitions = self._body["Transitions"]
        if transitions:
            transitions[-1]["EndTime"] = now
        transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
        self._body["SecondaryStatus"] = secondary
        self._body["Status"] = status or self._body["Status"]
        self.note()

    def note(self, **members: Any) -> None:
        """Change some keys."""
        self._body.update(members, LastModifiedTime=self.now())
        self._folder.write_status(self._body)

    def finish(self, status: str, secondary: str, message: str, **members: Any) -> None:
        """Write the final status; nothing is written after it."""
        now = self.now()
        if self._body["Transitions"]:
            self._body["Transitions"][-1]["EndTime"] = now
        self._body["Transitions"].append(
            {"Status": secondary, "StartTime": now, "EndTime": now, "StatusMessage": message}
        )
        self._body.update({key: value for key, value in members.items() if value is not None})
        self._body.update(Status=status, SecondaryStatus=secondary, EndTime=now, LastModifiedTime=now)
        self._folder.write_status(self._body)


def before_end(status: dict[str, Any]) -> dict[str, Any]:
    """Return the status of a job that has ended as it was until then."""
    transitions = status["Transitions"][:-1]
    return {
        **{key: value for key, value in status.items() if key not in ("EndTime", "FailureReason", "ModelArtifacts")},
        "Status": "Stopping" if status["Status"] == "Stopped" else "InProgress",
        "SecondaryStatus": transitions[-1]["Status"] if transitions else "Starting",
        "Transitions": [*transitions[:-1], {**transitions[-1], "EndTime": None}] if transitions else [],
    }


def shorten(reason: str, room: int = 0) -> str:
    """
    Shorten a reason to SageMaker's limit, less ``room``. Beginning and end are kept, since the end of an error says
    most.
    """
    limit = REASON_LIMIT - room
    if len(reason) <= limit:
        return reason
    half = (limit - 5) // 2
    return f"{reason[:half]} ... {reason[-half:]}"
