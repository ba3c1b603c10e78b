"""Starts and stops the portal with the server."""

from __future__ import annotations

from localaws.core.operations import Service
from localaws.portal import server

Service.on_start(server.start)
Service.on_stop(server.stop)
