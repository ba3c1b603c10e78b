"""Containers of a model, as requests describe them."""

from __future__ import annotations

from typing import Any


def model_data(container: dict[str, Any]) -> str | None:
    """Return where a container's model lies in S3, if it has one."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    uri: str | None = source["S3Uri"] if source else container.get("ModelDataUrl")
    return uri
