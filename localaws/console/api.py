"""Starts and stops the console with the server, and sends the paths of AWS's console to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.console import address
from localaws.core.context import Context
from localaws.core.operations import Service
from localaws.core.page_address import AddressError
from localaws.core.page_server import PageServers
from localaws.gateway.protocol.http import HttpResponse

if TYPE_CHECKING:
    from starlette.applications import Starlette


def _make(ctx: Context) -> Starlette:
    from localaws.console.app import make_app

    return make_app(ctx)


_servers = PageServers(address.CONSOLE, _make)
Service.on_start(_servers.start)
Service.on_stop(_servers.stop)


@Service.on_start
def make_token(ctx: Context) -> None:
    """Have the token ready for who prints the console's address."""
    address.token(ctx)


@Service.page(r"/(?:a2i|athena|cloudwatch|glue|s3|sagemaker)/home")
def console_path(path: str, ctx: Context) -> HttpResponse:
    """
    Redirect a path of AWS's console to the console.

    The console has a port of its own, which may change: whoever makes links needs this server's address alone. What
    follows the ``#`` and names the resource is kept by the browser.
    """
    try:
        target = f"{address.CONSOLE.url(ctx)}{path}"
    except AddressError as error:
        return HttpResponse(503, [("Content-Type", "text/plain")], str(error).encode())
    return HttpResponse(302, [("Location", target), ("Cache-Control", "no-store")], b"")
