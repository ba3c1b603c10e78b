"""Secrets Manager: secrets that are made once."""

from __future__ import annotations

from collections.abc import Sequence

from amazon_ml.hooks.base import ServiceHook


class SecretsHook(ServiceHook):
    """Secrets by name."""

    service = "secretsmanager"

    def create_secret(self, name: str, value: str, tags: Sequence[dict[str, str]]) -> bool:
        """Create a secret, and return False if it exists; then it keeps its value."""
        taken = {"ResourceExistsException"}
        return self._call_unless(taken, "create_secret", Name=name, SecretString=value, Tags=tags) is not None

    def secret_value(self, name: str) -> str | None:
        """Return the text of a secret; None for one that is bytes."""
        text: str | None = self._call("get_secret_value", SecretId=name).get("SecretString")
        return text
