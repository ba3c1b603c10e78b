"""Secrets by name, and their replicas in other regions: moto looks through all secrets for each that is asked for."""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.exceptions import OperationNotPermittedOnReplica
from moto.secretsmanager.models import (
    FakeSecret,
    ReplicaSecret,
    SecretsManagerBackend,
    SecretsStore,
    secretsmanager_backends,
)

#: characters that an ARN has after the secret's name: a dash, and six at random.
_SUFFIX = 7


def install() -> None:
    """Replace moto's lookup and its replication."""
    for owner, name, value in (
        (SecretsStore, "__getitem__", _item),
        (SecretsStore, "__contains__", lambda store, key: _found(store, key) is not None),
        (SecretsStore, "get", _found),
        (SecretsStore, "pop", _pop),
        (FakeSecret, "create_replicas", _create_replicas),
        (SecretsManagerBackend, "remove_regions_from_replication", _remove_regions),
    ):
        setattr(owner, name, value)


def _found(store: SecretsStore, key: str) -> Any:
    """Return the secret of a name, of an ARN, or of an ARN without its end; ``None`` if there is none."""
    found = dict.get(store, key)
    if found is not None or not key.startswith("arn:"):
        return found
    name = key.split(":", 6)[-1]
    whole = dict.get(store, name[:-_SUFFIX])
    return whole if whole is not None and whole.arn == key else dict.get(store, name)


def _item(store: SecretsStore, key: str) -> Any:
    found = _found(store, key)
    if found is None:
        raise KeyError(key)
    return found


def _pop(store: SecretsStore, key: str) -> Any:
    found = _found(store, key)
    return None if found is None else dict.pop(store, found.name)


def _create_replicas(secret: Any, replica_regions: list[dict[str, str]], force_overwrite: bool) -> list[ReplicaSecret]:
    """Return replicas, of which those are in their region whose name was free there or might be taken."""
    replicas = []
    for region in (each["Region"] for each in replica_regions or []):
        store = secretsmanager_backends[secret.account_id][region].secrets
        present = dict.get(store, secret.name)
        if present is None or (force_overwrite and isinstance(present, FakeSecret)):
            replica = ReplicaSecret(secret, region)
            dict.__setitem__(store, secret.name, replica)
        else:
            message = f"Replication failed: Secret name {secret.name} already exists in region {region}."
            replica = ReplicaSecret(secret, region, "Failed", message)
        replicas.append(replica)
    return replicas


def _remove_regions(backend: Any, secret_id: str, replica_regions: list[str]) -> tuple[str, list[dict[str, str]]]:
    secret = backend.describe_secret(secret_id)
    if isinstance(secret, ReplicaSecret):
        raise OperationNotPermittedOnReplica
    for replica in [each for each in secret.replicas if each.region in replica_regions]:
        if replica.has_replica:
            dict.pop(secretsmanager_backends[backend.account_id][replica.region].secrets, secret.name)
        secret.replicas.remove(replica)
    return secret.arn, [replica.config for replica in secret.replicas]
