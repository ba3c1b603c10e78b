"""Read sections in threads of our own, each once for all who ask at a time, and say why one cannot be read."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog

from sentiment_page.aws import Aws, NothingYet, Unreadable
from sentiment_page.sections import Section

log = structlog.get_logger(__name__)

#: seconds: how long what was read is shown, how long a request waits, and how long the clients of AWS are kept.
FRESH_S, PATIENCE_S, CLIENTS_S = 15.0, 12.0, 300.0
#: sections that are read at a time: in threads of our own, so that a slow AWS takes none of Airflow's.
THREADS = 8
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
_KEYS = frozenset(
    {"InvalidAccessKeyId", "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"}
)


@dataclass(frozen=True)
class Found:
    """What a section has to show: its data, or the sentence that says why there is none."""

    data: Mapping[str, Any] | None = None
    why: str = ""
    #: nothing is wrong, there is just nothing so far.
    empty: bool = False


class Loader:
    """
    Reads sections and keeps what they found for a few seconds.

    :param make_aws: makes the clients.
    :param patience: seconds after which a request is told that AWS is slow; what it waited for is read on.
    """

    def __init__(
        self,
        make_aws: Callable[[], Aws] = Aws,
        *,
        fresh: float = FRESH_S,
        patience: float = PATIENCE_S,
    ) -> None:
        self._make_aws, self._fresh, self._patience = make_aws, fresh, patience
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sentiment-page")
        self._reads: dict[str, tuple[float, Future[Found]]] = {}
        self._aws: tuple[float, Aws] | None = None
        self._lock = threading.Lock()

    async def load(self, name: str, section: Section) -> Found:
        """Return what the section found, a few seconds ago at most."""
        began, reading = self._reads.get(name, (0.0, None))
        if reading is None or (reading.done() and time.monotonic() > began + self._fresh):
            reading = self._pool.submit(self._read, name, section)
            self._reads[name] = (time.monotonic(), reading)
        done, _ = await asyncio.wait({asyncio.wrap_future(reading)}, timeout=self._patience)
        if not done:
            return Found(why=f"AWS has not answered within {self._patience:g} seconds: reload in a moment.")
        return reading.result()

    def _read(self, name: str, section: Section) -> Found:
        try:
            return Found(section.read(self._clients()))
        except NothingYet as nothing:
            return Found(why=str(nothing), empty=True)
        except Exception as error:
            # The others still show. What a person can mend is said on the page, all of it in the log.
            log.warning("A section of the page cannot be read", section=name, exc_info=True)
            return Found(why=explain(error))

    def _clients(self) -> Aws:
        # New ones now and then: the connection, or what it stands for, may have changed.
        with self._lock:
            if self._aws is None or time.monotonic() > self._aws[0] + CLIENTS_S:
                self._aws = (time.monotonic(), self._make_aws())
            return self._aws[1]


def explain(error: BaseException) -> str:
    """
    Return one sentence on why something could not be read, and what mends it.

    It names operations and AWS's codes, and leaves AWS's own message to the log: that has names of users and keys.
    """
    from botocore import exceptions

    if isinstance(error, Unreadable):
        return f"{error}."
    cause = error.__cause__ or error
    if isinstance(cause, exceptions.ClientError):
        return _refused(cause.response.get("Error", {}).get("Code", ""), cause.operation_name)
    if isinstance(cause, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return "There are no AWS credentials: give the connection aws_default some, or Airflow's API server a role."
    if isinstance(cause, exceptions.ConnectionError | exceptions.HTTPClientError):
        return f"AWS cannot be reached ({type(cause).__name__}): see the region and AWS_ENDPOINT_URL of Airflow."
    return f"It cannot be read ({type(cause).__name__}): the log of Airflow's API server has the reason."


def _refused(code: str, operation: str) -> str:
    if code in _DENIED:
        return f"AWS denies {operation} ({code}): who reads by the connection aws_default lacks that permission."
    if code in _KEYS or code.startswith("ExpiredToken"):
        return f"AWS does not take the credentials of the connection aws_default ({code})."
    return f"AWS refuses {operation} ({code}): the log of Airflow's API server has its words."
