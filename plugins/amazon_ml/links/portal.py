"""From a task in the Airflow UI to the portal in which people do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


def portal_url(sub_domain: str, endpoint_url: str) -> str:
    """
    Return the address of a worker portal; "" for a workforce that has none yet.

    :param sub_domain: SubDomain of a workforce or work team, a host without a scheme.
    :param endpoint_url: of the SageMaker API. The portal is served by its scheme, which is https on AWS.
    """
    return f"{urlsplit(endpoint_url).scheme}://{sub_domain}" if sub_domain else ""


class WorkerPortalLink(BaseOperatorLink):
    """The button on the task's page that leads to the worker portal."""

    name = "Worker portal"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address that the operator noted while it ran, or ""."""
        return getattr(operator, "portal_url", "")
