"""A workforce's IP address ranges: who comes from elsewhere finds nothing here."""

from __future__ import annotations

import ipaddress

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from localaws.core.context import Context
from localaws.portal import failures
from localaws.sagemaker.workforce import records

#: Cognito's hosted pages are on other hosts on AWS, and SageMaker's ranges are not theirs.
_ELSEWHERE = ("/static/", "/cognito/")


class SourceIp:
    """ASGI middleware of the portal's own pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer "Not Found" to an address outside of the ranges, as AWS's portal does."""
        if scope["type"] == "http" and not scope["path"].startswith(_ELSEWHERE):
            request = Request(scope)
            address = request.client.host if request.client else ""
            if not await run_in_threadpool(allows, request.app.state.ctx, address):
                page = failures.page(request, 404, "Not Found", "There is no such page here.")
                await page(scope, receive, send)
                return
        await self._app(scope, receive, send)


def allows(ctx: Context, address: str) -> bool:
    """Return whether workers may come from an address; from everywhere where no ranges are set."""
    workforce = records.workforce_of_region(ctx)
    cidrs = workforce.get("SourceIpConfig", {}).get("Cidrs", []) if workforce else []
    return not cidrs or any(_contains(cidr, address) for cidr in cidrs)


def _contains(cidr: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
