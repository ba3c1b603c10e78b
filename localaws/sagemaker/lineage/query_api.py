"""SageMaker's QueryLineage."""

from __future__ import annotations

from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.lineage.query import query

lineage_query = Service("sagemaker", resource="lineage-query")

#: AWS's own limit of vertices in a page, and what counts where a request gives none.
_PAGE = 50


@lineage_query.operation
def query_lineage(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return what an entity was made from, or what was made from it. An edge is on the page of its source."""
    for member in ("MaxDepth", "MaxResults"):
        if request.get(member, 1) < 1:
            raise ValidationException(f"{member} must be at least 1.")
    vertices, edges = query(request, ctx)
    page, more = pagination.page(vertices, request, default_size=_PAGE)
    shown = {vertex["Arn"] for vertex in page}
    return {"Vertices": page, "Edges": [edge for edge in edges if edge["SourceArn"] in shown], **more}
