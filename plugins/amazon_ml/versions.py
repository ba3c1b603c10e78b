"""Resources that AWS lets nobody change: another content is another resource, under a name that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.naming import version_name

if TYPE_CHECKING:
    from amazon_ml.hooks.sagemaker import SageMakerJobHook


def find_version(
    hook: SageMakerJobHook, kind: str, name: str, content: Any, same: Callable[[Mapping[str, Any]], bool]
) -> tuple[str, dict[str, Any] | None]:
    """
    Return the name under which this content is, or is to be made, and its description; None where it is to be made.

    The first content has the plain name, each other one the name with a digest of its own.

    :param same: whether a description is that of this content.
    :raises RequestRefused: the name with the digest is taken by something else.
    """
    versioned = version_name(name, content)
    for candidate in (name, versioned):
        found = hook.describe(kind, candidate)
        if found is None or same(found):
            return candidate, found
    raise RequestRefused(f"{kind} {versioned} is there, and is not what its name says: delete it, or give another name")
