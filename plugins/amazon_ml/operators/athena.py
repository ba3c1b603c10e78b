"""Athena queries, started once a task instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.operators.athena import AthenaOperator

from amazon_ml.naming import job_name

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Context


class AthenaQueryOperator(AthenaOperator):
    """
    The provider's AthenaOperator, made safe to retry.

    The provider does not template ``client_request_token``, so a retry starts a second query. Here the token follows
    from the task instance: Athena answers a repeated start with the query that it already has, and the operator waits
    for that one. Only a query that failed or was cancelled is followed by a new one.

    Returns the query execution id.

    :param sleep_time: seconds between two polls of the query.

    .. seealso:: ClientRequestToken of StartQueryExecution in the Athena API reference.
    """

    def __init__(self, *, sleep_time: int = 1, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(sleep_time=sleep_time, deferrable=deferrable, **kwargs)

    def execute(self, context: Context) -> str | None:
        """Start the query, or find the one that an earlier try started, and wait for it."""
        instance = context["ti"]
        for attempt in range(1, instance.try_number + 2):
            name = job_name(instance.dag_id, instance.task_id, instance.map_index, instance.run_id, attempt)
            # Athena takes tokens of 32 characters or more.
            self.client_request_token = name.ljust(32, "-")
            query = self.hook.run_query(
                self.query,
                {"Catalog": self.catalog, **({"Database": self.database} if self.database else {})},
                {**self.result_configuration, "OutputLocation": self.output_location},
                self.client_request_token,
                self.workgroup,
            )
            if not self._failed_before(query, instance.start_date):
                break
        return super().execute(context)

    def get_openlineage_dataset(self, database: str, table: str) -> Dataset | None:
        """
        Return a table as OpenLineage names it, with the client's region in its namespace.

        The provider takes the connection's region, which is None where the environment sets it.
        """
        found = super().get_openlineage_dataset(database, table)
        if found is not None:
            region = self.hook.get_conn().meta.region_name
            found.namespace = f"awsathena://athena.{region}.amazonaws.com"
        return found

    def _failed_before(self, query: str, start: datetime) -> bool:
        """Return True if an earlier try started the query and it failed or was cancelled."""
        status = self.hook.get_query_info(query)["QueryExecution"]["Status"]
        return status["State"] in self.hook.FAILURE_STATES and status["SubmissionDateTime"] < start
