"""Begins to count failed sign-ins when the server starts."""

from __future__ import annotations

from localaws.core.context import Context
from localaws.core.operations import Service
from localaws.moto_bridge import pool_sign_in
from localaws.moto_bridge.pool_attempts import Attempts


def start(ctx: Context) -> None:
    """Limit sign-in by the API as that by the hosted pages is."""
    pool_sign_in.limit_by(Attempts(ctx.store))


Service.on_start(start)
