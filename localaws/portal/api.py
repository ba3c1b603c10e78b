"""Starts and stops the portal with the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.core.context import Context
from localaws.core.operations import Service
from localaws.core.page_server import PageServers
from localaws.core.portal_address import PORTAL

if TYPE_CHECKING:
    from starlette.applications import Starlette


def _make(ctx: Context) -> Starlette:
    from localaws.portal.app import make_app

    return make_app(ctx)


_servers = PageServers(PORTAL, _make)
Service.on_start(_servers.start)
Service.on_stop(_servers.stop)
