"""What an endpoint tells whoever listens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localaws.core.context import Context
from localaws.core.events import Event

#: Of the endpoint's record, the name of the config and the records of its models, inside the endpoint's transaction.
DEPLOYING: Event[[dict[str, Any], str, Iterable[dict[str, Any]], Context]] = Event()
#: When deployments have ended, inside the transaction that keeps it.
SETTLED: Event[[Context]] = Event()
