"""The portal's application: its pages, Cognito's hosted pages, and what guards both."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from localaws.cognito import pages as hosted_pages
from localaws.cognito.hosted import Hosted
from localaws.core.context import Context
from localaws.portal import failures, pages, sign_in
from localaws.portal.entrance import Entrance
from localaws.portal.guard import Guard
from localaws.portal.oidc.tokens import KeySets
from localaws.portal.session import Sessions
from localaws.portal.source_ip import SourceIp
from localaws.portal.static_files import FOLDER, OpenStaticFiles
from localaws.portal.templating import Templates


def make_app(ctx: Context) -> Starlette:
    """Return the application; ``app.state`` has ``ctx``, ``sessions``, ``hosted`` and ``templates``."""
    app = Starlette(
        routes=[
            Mount("/static/crowd", OpenStaticFiles(directory=FOLDER / "crowd")),
            Mount("/static", StaticFiles(directory=FOLDER), name="static"),
            *hosted_pages.routes(ctx),
            *sign_in.routes(ctx),
            *pages.routes(ctx),
        ],
        middleware=[Middleware(SourceIp)],
        exception_handlers=failures.HANDLERS,
    )
    app.state.ctx = ctx
    app.state.sessions = Sessions(ctx)
    app.state.hosted = Hosted(ctx)
    app.state.entrance = Entrance(ctx)
    app.state.key_sets = KeySets()
    app.state.templates = Templates()
    # Outside of all that Starlette has, so that its own answers to errors have the headers too.
    app.middleware_stack = Guard(app.build_middleware_stack())
    return app
