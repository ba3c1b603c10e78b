"""What every handler is given: where things live, the store, and clients that talk to this same server."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localaws.core.credentials import Credentials
from localaws.core.store import Store

ACCOUNT_ID = "123456789012"


@dataclass(frozen=True)
class Context:
    """
    The surroundings of a handler.

    :param home: the folder that everything of localaws lives in (``.local/localaws``).
    :param endpoint_url: this server, such as ``http://127.0.0.1:4566``.
    :param region: the region that ARNs carry.
    :param store: every resource that localaws owns.
    :param credentials: the root keys made at first start.
    """

    home: Path
    endpoint_url: str
    region: str
    store: Store
    credentials: Credentials
    account_id: str = ACCOUNT_ID
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def client(self, service: str, region: str = "") -> Any:
        """Return a boto3 client of this server, signed with the root keys: how slices reach S3, Glue and Logs."""
        place = f"{service} {region or self.region}"
        with self._lock:
            if place not in self._clients:
                self._clients[place] = boto3.client(
                    service,
                    endpoint_url=self.endpoint_url,
                    region_name=region or self.region,
                    aws_access_key_id=self.credentials.access_key,
                    aws_secret_access_key=self.credentials.secret_key,
                    config=Config(
                        max_pool_connections=32,
                        s3={"addressing_style": "path"},
                        retries={"total_max_attempts": 3, "mode": "standard"},
                    ),
                )
            return self._clients[place]

    def arn(self, service: str, resource: str) -> str:
        """``arn:aws:{service}:{region}:{account}:{resource}``; SageMaker's names are in lower case there."""
        if service == "sagemaker":
            resource = resource.lower()
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"

    @staticmethod
    def now() -> datetime:
        """Return the present, in UTC: all times in the store are aware."""
        return datetime.now(UTC)
