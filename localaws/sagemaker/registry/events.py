"""What a model package tells whoever listens, inside its own transaction."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.events import Event

#: Of a new package's record and that of its group, if it is in one.
REGISTERED: Event[[dict[str, Any], dict[str, Any] | None, Context]] = Event()
#: Of the record of a package whose ModelApprovalStatus a request has set.
DECIDED: Event[[dict[str, Any], Context]] = Event()
