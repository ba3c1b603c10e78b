"""Primary statuses that many resources share."""

from __future__ import annotations

#: of a job that has ended.
TERMINAL = frozenset({"Completed", "Failed", "Stopped"})
