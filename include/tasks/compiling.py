"""
A model's twin: the same weights in eight bits, served by ONNX Runtime.

Twins are versions of a package group of their own, ``settings.twin_group``. Each is approved, and its property
``twin_of`` names the version that it was made of. Champion and challengers are of ``settings.model_group`` alone: a
twin is another form of a version, not a rival.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from airflow.sdk import Param, TriggerRule, chain, task

from amazon_ml.operators.model_package import RegisterModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include.settings import settings
from include.tasks.find_reviews import SYNTHETIC
from include.tasks.registry import APPROVED, learnt_from_synthetic

PYTORCH, TWIN = "pytorch", "onnx-int8"
#: for the trigger forms of the DAGs that use :func:`choose_serving`.
SERVE = Param(
    PYTORCH,
    type="string",
    enum=[PYTORCH, TWIN],
    title="Serve by",
    description="onnx-int8: the same weights in eight bits, by ONNX Runtime: faster on CPUs, and refused where that "
    "costs more than 0.6 points of accuracy.",
)
#: property of a twin: the ARN of the version that it was made of.
TWIN_OF = "twin_of"
#: property of a version: S3 prefix of the validation split that it was trained with.
VALIDATION = "validation"
#: as many of the newest twins are looked through.
NEWEST = 20


def compile_model(
    task_id: str, model_data: Any, validation: Any, *, synthetic: Any = SYNTHETIC, **kwargs: Any
) -> ProcessingJobOperator:
    """
    Return the task that compiles a trained model, and fails where that costs more than 0.6 points of accuracy.

    The archive is ``model.tar.gz`` below its output ``model``: see :func:`archive`. Its result is the report, with
    ``original`` and ``compiled`` side by side.

    :param model_data: S3 URI of the trained ``model.tar.gz``; may be a template or an XComArg.
    :param validation: S3 URI of the features job's validation split; likewise.
    :param synthetic: whether the reviews are made up; default for a DAG that has ``find_reviews``.
    """
    return ProcessingJobOperator(
        task_id=task_id,
        job=settings.processing_job("compile"),
        inputs={"model": model_data, "validation": validation},
        outputs=["model", "report"],
        arguments={"synthetic": synthetic},
        result="report/report.json",
        **kwargs,
    )


def archive(compiled: ProcessingJobOperator) -> str:
    """Return the S3 URI of the archive that a task of :func:`compile_model` made; a template."""
    return f"{{{{ ti.xcom_pull(task_ids='{compiled.task_id}', key='output_model') }}}}model.tar.gz"


def find_twin(version: str) -> str | None:
    """
    Return the ARN of the newest twin of a version; None without one.

    :param version: ARN of a version of ``settings.model_group``.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    for twin in islice(SageMakerJobHook().model_packages(settings.twin_group, **APPROVED), NEWEST):
        if twin.get("CustomerMetadataProperties", {}).get(TWIN_OF) == version:
            return str(twin["ModelPackageArn"])
    return None


def what_to_compile(version: str) -> dict[str, str]:
    """
    Return ``{"model_data", "validation", "synthetic"}`` of a version, for :func:`compile_model`.

    :param version: its ARN.
    :raises ValueError: it does not say which validation split it was trained with.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    package = SageMakerJobHook().require("ModelPackage", version)
    validation = package.get("CustomerMetadataProperties", {}).get(VALIDATION)
    if not validation:
        raise ValueError(
            f"{version} does not say which validation split it was trained with, as those of train_sentiment do: "
            f"train again (force), or choose serve={PYTORCH}"
        )
    return {
        "model_data": _model_data(package),
        "validation": validation,
        "synthetic": str(learnt_from_synthetic(package)),
    }


def next_step(containers: list[dict[str, str]], params: Any = None, ti: Any = None) -> str:
    """
    Return the id of the next task: ``compile`` where a twin is to be served and there is none, else ``served``.

    :param containers: the version, as a model's container.
    :param params: of the run, which Airflow gives; ``serve`` counts.
    :param ti: this task's instance, which Airflow gives: its XComs are what is to be compiled.
    """
    (container,) = containers
    version = container["model_package"]
    if params["serve"] == PYTORCH or find_twin(version):
        return "served"
    for key, value in {"version": version, **what_to_compile(version)}.items():
        ti.xcom_push(key=key, value=value)
    return "compile"


def what_is_served(containers: list[dict[str, str]], params: Any = None, ti: Any = None) -> list[dict[str, str]]:
    """
    Return a version or its twin, as the run's param ``serve`` says, as a model's container.

    The XCom ``model_data`` is its archive, and ``twin_of_data`` that of the version where it is a twin.

    :param containers: the version, as a model's container.
    :raises ValueError: the version has no twin.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    (container,) = containers
    version = container["model_package"]
    chosen = version if params["serve"] == PYTORCH else find_twin(version)
    if chosen is None:
        raise ValueError(f"{version} has no twin in {settings.twin_group}: clear `serve` and what follows")
    hook = SageMakerJobHook()
    for key, arn in {"model_data": chosen, "twin_of_data": version if chosen != version else None}.items():
        package = hook.require("ModelPackage", arn) if arn else None
        ti.xcom_push(key=key, value=_model_data(package) if package else None)
    print(f"Serving {chosen} by {params['serve']}")
    return [{"model_package": chosen}]


def register_twin(task_id: str, version: Any, compiled: ProcessingJobOperator) -> RegisterModelOperator:
    """
    Return the task that registers a compiled model as an approved version of ``settings.twin_group``.

    The version itself was approved, and the job has refused a twin that loses too much.

    :param version: ARN of the version that was compiled; may be a template or an XComArg.
    :param compiled: a task of :func:`compile_model`.
    """
    pulled = f"ti.xcom_pull(task_ids='{compiled.task_id}', key="
    report = f"{pulled}'result')"
    return RegisterModelOperator(
        task_id=task_id,
        group_name=settings.twin_group,
        image_uri=settings.inference_image,
        model_data=archive(compiled),
        metrics={
            "ModelQuality": f"{{{{ ti.xcom_pull(task_ids='{compiled.task_id}', key='output_report') }}}}report.json"
        },
        properties={
            TWIN_OF: version,
            "serving": TWIN,
            "synthetic": f"{{{{ {report}['synthetic'] }}}}",
            "accuracy": f"{{{{ {report}['compiled']['accuracy'] }}}}",
            "agreement": f"{{{{ {report}['compiled']['agreement'] }}}}",
        },
        approval_status="Approved",
        description=f"In eight bits, for ONNX Runtime: it answers {{{{ (100 * {report}['compiled']['agreement']) | "
        f"round(1) }}}} % of {{{{ {report}['reviews'] }}}} validation reviews like the original",
    )


def choose_serving(latest: Any) -> tuple[Any, Any]:
    """
    Make the tasks that give a version to a model, or its twin where the run's param ``serve`` asks for that.

    Returns the first of them, and ``served``, whose result is the model's containers. They follow ``latest``.

    :param latest: the task that finds the version, as a model's container.
    """
    serve = task.branch(task_id="serve")(next_step)(latest)

    def found(key: str) -> str:
        return f"{{{{ ti.xcom_pull(task_ids='serve', key='{key}') }}}}"

    compiled = compile_model("compile", found("model_data"), found("validation"), synthetic=found("synthetic"))
    twin = register_twin("register_twin", found("version"), compiled)
    served = task(task_id="served", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)(what_is_served)(latest)
    chain(serve, compiled, twin, served)
    chain(serve, served)
    return serve, served


def derivations() -> list[dict[str, Any]]:
    """
    Return what a twin was made of, for the lineage; templates for a DAG that has :func:`choose_serving`.

    SageMaker's lineage has the compiling job's output by its prefix, and a model by its archive below that.
    """
    original = "ti.xcom_pull(task_ids='served', key='twin_of_data')"
    twin = f"{{% if {original} %}}{{{{ ti.xcom_pull(task_ids='served', key='model_data') }}}}{{% endif %}}"
    return [{"uri": twin, "sources": [f"{{{{ {original} or '' }}}}"]}]


def _model_data(package: Mapping[str, Any]) -> str:
    return str(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
