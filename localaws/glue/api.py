"""The Glue Data Catalog, which moto carries."""

from __future__ import annotations

from localaws.core.operations import Forward, Service
from localaws.gateway.protocol.http import HttpRequest, HttpResponse
from localaws.glue.catalog import Catalog

data_catalog = Service("glue", resource="data catalog")


@data_catalog.around
def answer(operation: str, request: HttpRequest, forward: Forward) -> HttpResponse:
    """Do here what Glue does and moto does not."""
    return Catalog(forward, request).handle(operation)
