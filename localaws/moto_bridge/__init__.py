"""The only place that knows moto: what it carries, how it is mounted, how its state outlives the process."""

from __future__ import annotations

import os

# Read by moto at import: no CORS headers, and never a bucket name out of the Host header (the front resolves that).
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"

from localaws.moto_bridge.mount import Moto
from localaws.moto_bridge.state import StateError

__all__ = ["Moto", "StateError"]
