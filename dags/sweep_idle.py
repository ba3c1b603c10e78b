"""
### Find what costs money and nobody needs, and delete it if told to

Once a day (`REVIEWS_SWEEP_CRON`), among what has the project's tag:

* endpoints without an invocation for `idle_hours`, or past their tag `expires-at`, or failed;
* endpoint configurations and models that no endpoint uses, expired or `unused_days` old;
* jobs that run past `expires-at`: their task is gone;
* the models in S3 of trials that lost, of tuning jobs that ended `tuning_days` ago;
* log groups of SageMaker's without retention, and those of endpoints that are gone.

`find` has them in its log, and in S3 under `reports/sweep/<run>/`. That is all, unless `delete` is on (by default where
`REVIEWS_SWEEP_DELETE` is true): then `carry_out` stops and deletes them. Log groups are shared by the whole account,
and change only where `log_groups` is on too.

The champion's endpoint (`REVIEWS_ENDPOINT`), and every endpoint whose tag `expires-at` is `never`, is reported and
never deleted.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param, chain, task

from include.paths import RUN
from include.settings import settings
from include.sweeping.selection import RETENTIONS
from include.sweeping.steps import carry_out_sweep, find_idle
from include.tasks.alerts import alerts
from include.tasks.defaults import task_defaults

with DAG(
    dag_id="sweep_idle",
    description="Idle endpoints, unused models, tuning leftovers and endless logs: a report, and deletion if told to",
    doc_md=__doc__,
    schedule=CronTriggerTimetable(settings.sweep_cron, timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args=task_defaults(execution_timeout=timedelta(hours=2)),
    **alerts("sweep_idle"),
    params={
        "idle_hours": Param(24, type="integer", minimum=1, maximum=1440, title="Hours without an invocation"),
        "unused_days": Param(30, type="integer", minimum=1, title="Days unused", description="Of models and configs."),
        "tuning_days": Param(30, type="integer", minimum=1, title="Days after a tuning job"),
        "retention_days": Param(30, type="integer", enum=list(RETENTIONS), title="Days that logs are kept"),
        "delete": Param(
            settings.sweep_deletes,
            type="boolean",
            title="Delete",
            description="Off: only report. On: stop and delete what was found.",
        ),
        "log_groups": Param(
            False,
            type="boolean",
            title="Log groups too",
            description="On, with delete: also change log groups, which all of the account share.",
        ),
    },
    tags=["clean-up"],
) as dag:
    find = task(task_id="find")(find_idle)(run_folder=RUN)
    carry_out = task(task_id="carry_out")(carry_out_sweep)(run_folder=RUN)
    chain(find, carry_out)
