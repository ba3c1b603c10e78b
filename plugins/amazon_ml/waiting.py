"""Waiting for a job or an endpoint: the same rules and bookkeeping for the trigger and for the polling operator."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

#: the file of rules, in botocore's waiter format (version 2). Beside what botocore reads there are ``delay``,
#: ``growth`` and ``maxDelay`` (pace, see :meth:`Watch.delay`), ``status`` and ``progress`` (JMESPath expressions: what
#: to say), ``started`` (JMESPath: when it began), ``stop`` (whether AWS has a Stop operation for it) and, for some,
#: ``parts`` (an operation to ask as well: its answer goes into that of Describe)
#: or ``service`` (whose operation it is, where not SageMaker's).
RULES_FILE = Path(__file__).parent / "waiters" / "sagemaker.json"

#: what AWS answers when it is asked too much at once; with these, and with 5xx, asking again helps.
THROTTLES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "ModelNotReadyException",
    }
)


@dataclass(frozen=True)
class Rules:
    """One waiter of the rules file."""

    name: str
    kind: str
    stop: bool
    base_delay: float
    growth: float
    max_delay: float
    status: str
    started: str
    progress: tuple[str, ...]
    acceptors: tuple[Mapping[str, Any], ...]
    parts: str = ""
    service: str = "sagemaker"

    def outcome(self, response: Mapping[str, Any]) -> str | None:
        """Tell "success", "failure" or None (not yet) from an answer. Errors come as botocore's error dict."""
        from botocore.waiter import AcceptorConfig

        for acceptor in self.acceptors:
            config = AcceptorConfig(dict(acceptor))
            if config.matcher_func(response):
                return str(config.state)
        return None


@cache
def rules(waiter: str) -> Rules:
    """Read the rules called ``waiter``; KeyError where the file has none of that name."""
    found = json.loads(RULES_FILE.read_text())["waiters"][waiter]
    return Rules(
        name=waiter,
        kind=found["operation"].removeprefix("Describe"),
        stop=found["stop"],
        base_delay=found["delay"],
        growth=found["growth"],
        max_delay=found["maxDelay"],
        status=found["status"],
        started=found["started"],
        progress=tuple(found["progress"]),
        acceptors=tuple(found["acceptors"]),
        parts=found.get("parts", ""),
        service=found.get("service", "sagemaker"),
    )


def transient(error: BaseException) -> bool:
    """Return True if asking AWS again may help: no answer, throttling, 500, 502, 503, 504, InvokeEndpoint's 530."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, (ConnectionError, HTTPClientError)):
        return True
    if not isinstance(error, ClientError):
        return False
    response = error.response
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return response.get("Error", {}).get("Code") in THROTTLES or status in {429, 500, 502, 503, 504, 530}


@dataclass
class Watch:
    """
    The state of one wait: what has been said, and whether it is over.

    An *event* is ``{"status", "name", "resource_status", "message"}``, all strings: status is "success", "failure",
    "deadline" or "error" (AWS refused to answer; message says why), resource_status is AWS's.

    :param deadline: seconds since the epoch: absolute, so that whoever takes the wait over does not extend it.
    :param say: takes a line of progress.
    """

    rules: Rules
    name: str
    deadline: float
    say: Callable[[str], object]
    _said: set[str] = field(default_factory=set)
    _status: str = ""
    _started: float | None = None
    _unanswered: bool = False

    def answered(self, response: Mapping[str, Any]) -> dict[str, str] | None:
        """Take a Describe answer, and return the event when the wait is over."""
        import jmespath

        self._unanswered = False
        self._status = jmespath.search(self.rules.status, response) or ""
        if started := jmespath.search(self.rules.started, response):
            self._started = started.timestamp()
        for expression in self.rules.progress:
            found = jmespath.search(expression, response) or []
            for line in found if isinstance(found, list) else [found]:
                self._say_once(line.removesuffix(": "))
        outcome = self.rules.outcome(response)
        return self._event(outcome) if outcome else self.late()

    def refused(self, error: Exception) -> dict[str, str] | None:
        """Take an error, and return the event when the wait is over, or None if AWS may still answer."""
        response = getattr(error, "response", None) or {}
        if outcome := self.rules.outcome(response):
            return self._event(outcome, str(error))
        if not transient(error):
            return self._event("error", str(error))
        if not self._unanswered:
            self.say(f"{self._subject}: no answer from AWS, asking again ({error})")
        self._unanswered = True
        return self.late()

    def delay(self) -> float:
        """Return the seconds until the next poll: 2 % of the time that the job has taken."""
        now = time.time()
        elapsed = max(0.0, now - (self._started or now))
        pause = min(max(self.rules.base_delay, elapsed * self.rules.growth), self.rules.max_delay)
        return max(0.05, min(pause, self.deadline - now))

    def late(self) -> dict[str, str] | None:
        """Return the event if the deadline has come."""
        return self._event("deadline") if time.time() >= self.deadline else None

    @property
    def _subject(self) -> str:
        # Of an ARN the last part tells one from another.
        return f"{self.rules.kind} {self.name.rpartition('/')[2]}"

    def _event(self, outcome: str, message: str = "") -> dict[str, str]:
        return {"status": outcome, "name": self.name, "resource_status": self._status, "message": message}

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self.say(f"{self._subject}: {line}")
