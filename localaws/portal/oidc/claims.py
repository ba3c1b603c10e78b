"""
The claims by which AWS knows a worker: ``sagemaker:groups``, ``:sub``, ``:client_id`` and ``:name``, all required.

They may be written with ``-`` in place of ``:``. A provider sends them with its user info or in a token.
"""

from __future__ import annotations

from typing import Any

import regex

from localaws.portal.oidc.provider import Provider
from localaws.portal.refusals import Refusal
from localaws.sagemaker.workforce.members import Federated

REQUIRED = ("groups", "sub", "client_id", "name")
#: AWS's quota of a worker's groups, and what the name of a group may be.
_MOST_GROUPS = 10
_GROUP = regex.compile(r"[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,63}")
#: characters of a name or a sub.
_LONGEST = 255

Sources = list[dict[str, Any]]


def missing(sources: Sources) -> list[str]:
    """Return the required claims that no source has."""
    return [f"sagemaker:{name}" for name in REQUIRED if _found(sources, name) is None]


def person(provider: Provider, sources: Sources) -> Federated:
    """
    Return the person of some claims.

    :param sources: objects with claims; of a claim that several have, the first one's counts.
    :raises Refusal: a required claim is missing, or is not what AWS takes.
    """
    lacking = missing(sources)
    if lacking:
        raise _refused(f"It does not send the claim {', '.join(lacking)}, which SageMaker needs.")
    if _found(sources, "client_id") != provider.client_id:
        raise _refused("Its claim sagemaker:client_id names another client than the workforce's.")
    email = next((source["email"] for source in sources if isinstance(source.get("email"), str)), "")
    sub, name = _text(sources, "sub"), _text(sources, "name")
    return Federated(provider.issuer, provider.client_id, sub, name, email[:_LONGEST], _groups(sources))


def _found(sources: Sources, name: str) -> Any:
    keys = (f"sagemaker:{name}", f"sagemaker-{name}")
    return next((source[key] for source in sources for key in keys if source.get(key) is not None), None)


def _text(sources: Sources, name: str) -> str:
    value = _found(sources, name)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
        raise _refused(f"Its claim sagemaker:{name} must be a text of 1 to {_LONGEST} characters.")
    return value


def _groups(sources: Sources) -> tuple[str, ...]:
    value = _found(sources, "groups")
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not 0 < len(names) <= _MOST_GROUPS:
        raise _refused(f"Its claim sagemaker:groups must be a group or a list of 1 to {_MOST_GROUPS} groups.")
    if not all(isinstance(name, str) and _GROUP.fullmatch(name) for name in names):
        raise _refused("Its claim sagemaker:groups has a group whose name SageMaker does not take.")
    return tuple(names)


def _refused(sentence: str) -> Refusal:
    return Refusal(403, "The identity provider does not say who you are", sentence, is_known=True)
