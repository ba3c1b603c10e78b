"""SageMaker's runtime: requests to an endpoint."""

from __future__ import annotations

from amazon_ml.hooks.base import ServiceHook


class RuntimeHook(ServiceHook):
    """Endpoints that answer."""

    service = "sagemaker-runtime"

    def invoke_endpoint(self, endpoint: str, body: bytes, content_type: str) -> bytes:
        """Send a request and return the answer, both of this content type."""
        media = {"ContentType": content_type, "Accept": content_type}
        content: bytes = self._call("invoke_endpoint", EndpointName=endpoint, Body=body, **media)["Body"].read()
        return content
