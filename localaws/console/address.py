"""Where the console is, and the token that opens it."""

from __future__ import annotations

import secrets

from localaws.core.context import Context
from localaws.core.home import Home
from localaws.core.own_key import read_or_create
from localaws.core.page_address import PageAddress

CONSOLE = PageAddress("console", "LOCALAWS_CONSOLE_PORT", offset=2)


def token(ctx: Context) -> str:
    """Return this home's token, made at first need; nobody but the owner of the home can read its file."""
    return read_or_create(Home(ctx.home.parent).console_token, lambda: secrets.token_urlsafe(32).encode()).decode()
