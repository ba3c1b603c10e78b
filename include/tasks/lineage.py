"""The lineage of what is deployed: traced, and drawn; two tasks for every DAG that deploys a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amazon_ml.operators.lineage import TraceEndpointOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.settings import settings
from include.tasks.find_reviews import SYNTHETIC


def trace_and_draw(
    endpoint: str, model: ModelOperator, *, derived_from: Sequence[Mapping[str, Any]] = (), synthetic: str = SYNTHETIC
) -> tuple[TraceEndpointOperator, ProcessingJobOperator]:
    """
    Return the tasks ``lineage``, which says what made the endpoint's models, and ``lineage_graph``, which draws it.

    The first runs after the deployment, and the second after it.

    :param endpoint: its name.
    :param model: the task that made the model which was deployed: the folder has that model's name.
    :param derived_from: ``{"uri", "sources"}`` each, of what was derived where SageMaker has not tracked it; templates,
        and an empty URI is passed over.
    :param synthetic: whether the reviews are made up.
    """
    name = f"{{{{ ti.xcom_pull(task_ids='{model.task_id}', key='model_name') }}}}"
    folder = f"{paths.LINEAGE}/{endpoint}/{name}/"
    trace = TraceEndpointOperator(
        task_id="lineage", endpoint_name=endpoint, derived_from=derived_from, graph_folder=f"{folder}graphs/"
    )
    draw = ProcessingJobOperator(
        task_id="lineage_graph",
        job=settings.processing_job("lineage_graph"),
        inputs={"graph": trace.graph},
        outputs={"lineage": folder},
        arguments={"synthetic": synthetic},
    )
    return trace, draw
