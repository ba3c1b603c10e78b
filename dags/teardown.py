"""
### Stop and delete what a run has left, or what has certain tags

All that the DAGs create on AWS has the tags `project`, `dag`, `run` and `expires-at`. This DAG finds what has those of
a run, of a DAG, or any others, and lists in the log of `find` what it would stop and delete. With `dry_run` on, the
default, that is all. With `dry_run` off `carry_out` does it: running jobs are stopped; endpoints are deleted, and then
their configurations and models.

What an endpoint uses stays, unless the endpoint is selected itself. So does what is to stay for ever, such as the
champion's endpoint, the feature group and the registry, unless `durable` is on; the registry stays even then. A run
that was killed half-way is cleared, or started again, and does the rest.

The reports are in S3 under `reports/teardown/<run>/`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, chain, task

from include.paths import RUN
from include.sweeping.steps import carry_out_teardown, find_selected
from include.tasks.alerts import alerts
from include.tasks.defaults import task_defaults

with DAG(
    dag_id="teardown",
    description="Stop and delete what a run has left, or what has certain tags; a dry run first",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args=task_defaults(execution_timeout=timedelta(hours=2)),
    **alerts("teardown"),
    params={
        "run": Param("", type="string", title="Run", description="The id of a run, such as manual__2026-12-01T10:00."),
        "dag": Param("", type="string", title="DAG", description="The id of a DAG: of all its runs."),
        "tags": Param("", type="string", title="Tags", description="key=value, several by commas: all must be there."),
        "dry_run": Param(True, type="boolean", title="Dry run", description="On: only list what would be done."),
        "durable": Param(
            False,
            type="boolean",
            title="Also what is to stay",
            description="On: also what other runs need, such as the feature group and the champion's endpoint.",
        ),
    },
    tags=["clean-up"],
) as dag:
    find = task(task_id="find")(find_selected)(run_folder=RUN)
    carry_out = task(task_id="carry_out")(carry_out_teardown)(run_folder=RUN)
    chain(find, carry_out)
