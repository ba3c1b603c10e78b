"""Which two versions an A/B test compares."""

from __future__ import annotations

from typing import Any

from airflow.sdk import TriggerRule, chain, task

from include.ab_test.plan import CHALLENGER, CHAMPION, LAST, TWIN
from include.settings import settings
from include.tasks import compiling
from include.tasks.registry import APPROVED


def choose() -> tuple[Any, Any]:
    """
    Make the tasks that find both versions.

    They compile the champion where its twin is to be the challenger and is not there. Returns the first of them, and
    ``rivals``, whose result is ``{"champion", "challenger"}``: ARNs.
    """
    which = task.branch(task_id="which")(needs_twin)()

    def found(key: str) -> str:
        return f"{{{{ ti.xcom_pull(task_ids='which', key='{key}') }}}}"

    compiled = compiling.compile_model(
        "compile", found("model_data"), found("validation"), synthetic=found("synthetic")
    )
    twin = compiling.register_twin("register_twin", found("champion"), compiled)
    rivals = task(task_id="rivals", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)(find_rivals)(
        found("champion")
    )
    chain(which, compiled, twin, rivals)
    chain(which, rivals)
    return which, rivals


def needs_twin(params: Any = None, ti: Any = None) -> str:
    """
    Return the id of the next task, ``compile`` or ``rivals``.

    It is ``compile`` where the run asks for the champion's twin and there is none. The XCom ``champion`` is the latest
    approved version, which the whole run compares with.

    :raises ValueError: no version is approved.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    package = SageMakerJobHook().newest_model_package(settings.model_group, **APPROVED)
    if package is None:
        raise ValueError(f"no version of {settings.model_group} is approved: run train_sentiment first")
    champion = package["ModelPackageArn"]
    ti.xcom_push(key="champion", value=champion)
    if params["challenger"] != TWIN or compiling.find_twin(champion):
        return "rivals"
    for key, value in compiling.what_to_compile(champion).items():
        ti.xcom_push(key=key, value=value)
    return "compile"


def find_rivals(champion: str, params: Any = None) -> dict[str, str]:
    """
    Return ``{"champion", "challenger"}``, ARNs of approved versions.

    :raises ValueError: there is no such challenger, or it is the champion itself.
    """
    chosen = params["challenger"]
    challenger = compiling.find_twin(champion) if chosen == TWIN else _last_but(champion) if chosen == LAST else chosen
    if not challenger:
        raise ValueError(f"{champion} has no twin in {settings.twin_group}: clear `which` and what follows")
    if challenger == champion:
        raise ValueError(f"{champion} is the champion already: name another version as challenger")
    print(f"{challenger} against {champion}")
    return {CHAMPION: champion, CHALLENGER: challenger}


def _last_but(champion: str) -> str:
    """Return the newest approved version beside the champion; one that was rejected cannot be deployed."""
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    for package in SageMakerJobHook().model_packages(settings.model_group, **APPROVED):
        if package["ModelPackageArn"] != champion:
            return str(package["ModelPackageArn"])
    raise ValueError(f"{champion} is the only approved version of {settings.model_group}: there is no other to test")
