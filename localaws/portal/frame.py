"""
The document of a task's frame: a rendered worker template around which nothing of the portal is.

Text of strangers and a template's own HTML are in it. Three things hold it, each of which would do: the sandbox gives
it an origin of its own, without the portal's cookies; its policy runs no script but ours, by a nonce; and it may load
only from the portal's own crowd elements and from this localaws' S3.
"""

from __future__ import annotations

import re
import secrets

from starlette.responses import HTMLResponse

from localaws.portal.templating import Templates

SANDBOX = "allow-scripts allow-forms"
#: A template that sets a colour was written for light paper, as AWS's portal has it.
_COLOURED = re.compile(r"\b(?:background(?:-color)?|color)\s*:|\bbgcolor\s*=", re.I)


def document(templates: Templates, html: str, title: str, *, portal: str, storage: str) -> HTMLResponse:
    """
    Return a template as a document of its own.

    :param html: what Liquid made of the template.
    :param portal: the portal's origin, which has the crowd elements.
    :param storage: the origin that ``grant_read_access`` gives URLs of.
    """
    nonce = secrets.token_urlsafe(18)
    values = {"light": bool(_COLOURED.search(html)), "title": title, "nonce": nonce, "html": html}
    page = templates.text("frame.html", values)
    return HTMLResponse(page, headers={"Content-Security-Policy": _policy(nonce, portal, storage), **_FRAMED})


_FRAMED = {"X-Frame-Options": "SAMEORIGIN"}


def _policy(nonce: str, portal: str, storage: str) -> str:
    directives = {
        "sandbox": SANDBOX,
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
        # A template's own <style> is part of its work; styles run nothing, and can load nothing from elsewhere.
        "style-src": f"'unsafe-inline' {portal}/static/crowd/",
        "img-src": f"data: blob: {storage}",
        "media-src": f"data: blob: {storage}",
        "frame-src": storage,
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": portal,
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())
