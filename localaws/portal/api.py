"""Starts and stops the portal with the server."""

from __future__ import annotations

from localaws.portal import server
from localaws.services.registry import Service

Service.on_start(server.start)
Service.on_stop(server.stop)
