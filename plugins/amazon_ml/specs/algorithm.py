"""SageMaker's built-in algorithms: training jobs that bring no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amazon_ml.specs.job import TrainingJobSpec, WithoutCode


@dataclass(frozen=True, kw_only=True)
class AlgorithmJobSpec(WithoutCode, TrainingJobSpec):
    """
    A built-in algorithm (BlazingText, XGBoost, ...) and its resources: hyperparameters and channels say it all.

    For :class:`amazon_ml.operators.training.TrainingJobOperator`, with ``checkpoints=False`` for an algorithm that
    writes none. Its metrics are AWS's own: ``metric_regexes`` are refused, here as there.
    """

    source_dir: str = ""
    entry_point: str = ""

    def to_request(
        self,
        *,
        name: str,
        dag_id: str,
        code_uri: str,
        region: str,
        channels: Mapping[str, str],
        hyperparameters: Mapping[str, Any],
        metric_regexes: Mapping[str, str],
    ) -> dict[str, Any]:
        """
        Return the CreateTrainingJob request, without tags: script mode's, less where a toolkit finds its script.

        :raises ValueError: a hyperparameter longer than SageMaker takes, or a metric of one's own.
        """
        if metric_regexes:
            raise ValueError(f"a built-in algorithm has its own metrics: {', '.join(metric_regexes)}")
        request = super().to_request(
            name=name,
            dag_id=dag_id,
            code_uri=code_uri,
            region=region,
            channels=channels,
            hyperparameters=hyperparameters,
            metric_regexes={},
        )
        own = {key: value for key, value in request["HyperParameters"].items() if not key.startswith("sagemaker_")}
        return {**{key: value for key, value in request.items() if key != "HyperParameters"}, "HyperParameters": own}
