"""What `tune_sentiment` asks SageMaker for, from the fields of its form."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError


def spec_of(dagbag: Any, **params: Any) -> tuple[Any, dict[str, Any]]:
    """The tuning job as it is rendered for these params, and the request's ranges."""
    from amazon_ml.operators.job import rendered
    from amazon_ml.specs.tuning import to_ranges

    dag = dagbag.dags["tune_sentiment"]
    tune = dag.get_task("tune")
    given = {name: dag.params[name] for name in dag.params} | params

    class Ti:
        def xcom_pull(self, task_ids: str) -> dict[str, Any]:
            assert task_ids == "start_from"
            return {"parent": "earlier", "channels": {}, "features": "digest"}

    context: Any = {"params": given, "ti": Ti()}
    return rendered(tune, tune.job, context), to_ranges(tune.render_template(tune.ranges, context))


def test_it_searches_learning_rate_and_batch_size_at_random_by_the_validation_accuracy(dagbag: Any) -> None:
    spec, ranges = spec_of(dagbag)
    assert (spec.strategy, spec.objective_metric, spec.objective_type) == ("Random", "validation:accuracy", "Maximize")
    assert (spec.early_stopping, spec.min_resource, spec.max_resource, spec.target) == ("Auto", "", "", "")
    assert ranges == {
        "ContinuousParameterRanges": [
            {"Name": "learning_rate", "MinValue": "5e-05", "MaxValue": "0.0003", "ScalingType": "Linear"}
        ],
        "CategoricalParameterRanges": [{"Name": "train_batch_size", "Values": ["16", "32", "64"]}],
    }
    assert spec.parents == ["earlier"]


def test_every_field_of_the_form_reaches_the_search(dagbag: Any) -> None:
    given = {"strategy": "Hyperband", "epochs": 9, "hyperband_min_epochs": 3, "max_jobs": 12, "max_parallel": 3}
    given |= {"target": 72.5, "max_jobs_not_improving": 5, "seed": 7, "warm_start": "IdenticalDataAndAlgorithm"}
    spec, _ = spec_of(dagbag, **given)
    assert (spec.strategy, spec.early_stopping, spec.min_resource, spec.max_resource) == ("Hyperband", "Off", "3", "9")
    assert (spec.max_jobs, spec.max_parallel, spec.seed) == ("12", "3", "7")
    assert (spec.target, spec.max_jobs_not_improving) == ("72.5", "5")
    assert spec.warm_start_type == "IdenticalDataAndAlgorithm"


def test_what_is_searched_is_not_given_too(dagbag: Any) -> None:
    tune = dagbag.dags["tune_sentiment"].get_task("tune")
    assert set(tune.ranges) == {"learning_rate", "train_batch_size"}
    assert set(tune.ranges).isdisjoint(tune.hyperparameters)
    assert {"epochs", "base_model", "balance", "seed", "max_seq_length"} <= set(tune.hyperparameters)


@pytest.mark.parametrize("sizes", [[], [0], [16, 16], "16"])
def test_the_form_refuses_batch_sizes_that_are_none(dagbag: Any, sizes: Any) -> None:
    param = dagbag.dags["tune_sentiment"].params.get_param("train_batch_sizes")
    with pytest.raises(ParamValidationError, match="Failed validating"):
        param.resolve(sizes)


def test_it_touches_no_endpoint(dagbag: Any) -> None:
    kinds = {type(task).__name__ for task in dagbag.dags["tune_sentiment"].tasks}
    assert not [kind for kind in kinds if "Endpoint" in kind]
