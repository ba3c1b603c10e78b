"""ClientRequestTokens: a request that was answered is answered so again, and does nothing again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ConflictException
from localaws.core.store import dumps

KIND = "pipeline-token"


def once(operation: str, request: dict[str, Any], ctx: Context, do: Callable[[], str]) -> str:
    """
    Return what ``do`` returns for the request's token, and call it once only; all in one transaction.

    :raises ConflictException: the token came with another request.
    """
    name = f"{operation}/{request['ClientRequestToken']}"
    digest = hashlib.sha256(dumps(request).encode()).hexdigest()
    with ctx.store.transaction():
        before = ctx.store.get(KIND, name)
        if before is None:
            before = {"Digest": digest, "Arn": do()}
            ctx.store.put(KIND, name, before)
        elif before["Digest"] != digest:
            raise ConflictException(
                f"The ClientRequestToken {request['ClientRequestToken']} was used with another request."
            )
    return str(before["Arn"])


def forget(operation: str, token: str, ctx: Context) -> None:
    """Drop a token whose resource is deleted: the same request would else be answered with what is gone."""
    ctx.store.delete(KIND, f"{operation}/{token}")
