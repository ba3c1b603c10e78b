"""
The client secret of a workforce's OpenID Connect provider.

The portal needs it to sign workers in, and no operation answers it. It is kept apart from the workforce's record, and
encrypted with a key of this home, so that neither a record nor a copy of the database tells it.
"""

from __future__ import annotations

from localaws.core import own_key
from localaws.core.context import Context

_KIND = "workforce-client-secret"
_PROTECTED = {"alg": "dir", "enc": "A256GCM"}


def keep(ctx: Context, workforce: str, secret: str) -> None:
    """Store the secret of a workforce in place of the one before."""
    from joserfc import jwe
    from joserfc.jwk import OctKey

    sealed = jwe.encrypt_compact(_PROTECTED, secret, OctKey.import_key(_key(ctx)))
    ctx.store.put(_KIND, workforce, {"sealed": sealed})


def of(ctx: Context, workforce: str) -> str | None:
    """Return the secret of a workforce; ``None`` where none was kept."""
    from joserfc import jwe
    from joserfc.jwk import OctKey

    record = ctx.store.get(_KIND, workforce)
    if record is None:
        return None
    opened = jwe.decrypt_compact(record["sealed"], OctKey.import_key(_key(ctx)))
    return (opened.plaintext or b"").decode()


def forget(ctx: Context, workforce: str) -> None:
    """Remove the secret of a workforce, if there is one."""
    ctx.store.delete(_KIND, workforce)


def _key(ctx: Context) -> bytes:
    return own_key.read_or_create(ctx.home / "portal" / "client-secret.key")
