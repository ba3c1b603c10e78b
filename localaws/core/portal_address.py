"""Where the portal is: clients have its URL as a callback."""

from __future__ import annotations

from localaws.core.context import Context
from localaws.core.page_address import PageAddress

PORTAL = PageAddress("portal", "LOCALAWS_PORTAL_PORT", offset=1)


def address(ctx: Context) -> str:
    """
    Return the portal's URL, such as ``http://127.0.0.1:4567``.

    :raises AddressError: it was never started.
    """
    return PORTAL.url(ctx)


def sub_domain(ctx: Context) -> str:
    """Return what SageMaker calls SubDomain: the portal's host and port."""
    return address(ctx).partition("://")[2]
