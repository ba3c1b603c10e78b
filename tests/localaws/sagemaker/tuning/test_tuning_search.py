"""Tuning strategies judged by Optuna: as good an optimum of known functions in as many training jobs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import optuna
import pytest

from localaws.sagemaker.tuning import hyperband, ranges, trials

SEEDS = range(5)
Values = dict[str, float]


def quadratic(values: Values) -> float:
    """Its minimum, 0, is at 1e-3 and 0.7: a learning rate and a dropout."""
    return (math.log10(values["x"]) + 3) ** 2 + 10 * (values["y"] - 0.7) ** 2


def branin(values: Values) -> float:
    """Three minima of 0; https://www.sfu.ca/~ssurjano/branin.html."""
    x, y = values["x"], values["y"]
    bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.397887


def camel(values: Values) -> float:
    """Six-hump camel: two global minima of 0 among six; https://www.sfu.ca/~ssurjano/camel6.html."""
    x, y = values["x"], values["y"]
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (-4 + 4 * y**2) * y**2 + 1.031628


FUNCTIONS: dict[str, tuple[Callable[[Values], float], dict[str, tuple[float, float, str]]]] = {
    "quadratic": (quadratic, {"x": (1e-6, 1.0, "Logarithmic"), "y": (0.0, 1.0, "Linear")}),
    "branin": (branin, {"x": (-5.0, 10.0, "Linear"), "y": (0.0, 15.0, "Linear")}),
    "camel": (camel, {"x": (-3.0, 3.0, "Linear"), "y": (-2.0, 2.0, "Linear")}),
}


def record_of(bounds: dict[str, tuple[float, float, str]], strategy: str, seed: int, **config: Any) -> dict[str, Any]:
    """A tuning job's record as the search reads it."""
    found = [
        {"Name": name, "MinValue": repr(low), "MaxValue": repr(high), "ScalingType": scaling}
        for name, (low, high, scaling) in bounds.items()
    ]
    search = {"Metric": "m", "Direction": "Minimize", "Ranges": {"ContinuousParameterRanges": found}}
    return {
        "HyperParameterTuningJobConfig": {"Strategy": strategy, **config},
        "TrainingJobDefinition": {},
        "_Definition": {"Jobs": 750, "Seed": str(seed), "Searches": [search]},
        "_Trials": [],
    }


def tried(record: dict[str, Any], values: dict[str, str], objective: float) -> None:
    metric = {"Type": "Minimize", "MetricName": "m", "Value": objective}
    record["_Trials"].append(
        {
            "TunedHyperParameters": values,
            "TrainingJobStatus": "Completed",
            "FinalHyperParameterTuningJobObjectiveMetric": metric,
        }
    )


def ours(name: str, strategy: str, seed: int, jobs: int) -> float:
    """The best that our search finds."""
    function, bounds = FUNCTIONS[name]
    record = record_of(bounds, strategy, seed)
    best = math.inf
    for number in range(1, jobs + 1):
        values = trials.values(record, number)
        objective = function({key: float(text) for key, text in values.items()})
        tried(record, values, objective)
        best = min(best, objective)
    return best


def optunas(name: str, sampler: optuna.samplers.BaseSampler, jobs: int) -> float:
    """The best that Optuna finds."""
    function, bounds = FUNCTIONS[name]

    def objective(trial: optuna.Trial) -> float:
        values = {
            key: trial.suggest_float(key, low, high, log=scaling == "Logarithmic")
            for key, (low, high, scaling) in bounds.items()
        }
        return function(values)

    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=jobs)
    return float(study.best_value)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bayesian_finds_as_good_an_optimum_as_optunas_tpe(name: str) -> None:
    jobs = 30
    found = statistics.median(ours(name, "Bayesian", seed, jobs) for seed in SEEDS)
    oracle = statistics.median(optunas(name, optuna.samplers.TPESampler(seed=seed), jobs) for seed in SEEDS)
    assert found <= oracle


@pytest.mark.parametrize("name", FUNCTIONS)
def test_random_finds_what_optunas_random_finds(name: str) -> None:
    jobs = 60
    # The best of 60 draws varies by a factor of its own; over 25 seeds the medians of two fair searches are close.
    found = statistics.median(ours(name, "Random", seed, jobs) for seed in range(25))
    oracle = statistics.median(optunas(name, optuna.samplers.RandomSampler(seed=seed), jobs) for seed in range(25))
    assert found <= 2 * oracle + 0.01


def train(record: dict[str, Any], jobs: int, epochs: int) -> tuple[float, int]:
    """
    Train one after the other: each epoch halves the distance to what the values are worth.

    Returns the best final objective, and the epochs that all of them took.
    """
    curves: dict[int, list[float]] = {}
    for number in range(1, jobs + 1):
        values = {key: float(text) for key, text in trials.values(record, number).items()}
        curve: list[float] = []
        curves[number] = curve
        for epoch in range(1, epochs + 1):
            curve.append(quadratic(values) + 20 * 0.5**epoch)
            if hyperband.worse(record, number, curve, curves):
                break
        tried(record, {}, curve[-1])
    return min(curve[-1] for curve in curves.values()), sum(map(len, curves.values()))


def test_hyperband_finds_as_good_an_optimum_as_optunas_in_as_many_epochs() -> None:
    jobs, epochs = 60, 27
    config = {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": epochs}}}
    bounds = FUNCTIONS["quadratic"][1]
    found = [train(record_of(bounds, "Hyperband", seed, **config), jobs, epochs) for seed in SEEDS]

    def objective(trial: optuna.Trial) -> float:
        values = {
            key: trial.suggest_float(key, low, high, log=scaling == "Logarithmic")
            for key, (low, high, scaling) in bounds.items()
        }
        for epoch in range(1, epochs + 1):
            value = quadratic(values) + 20 * 0.5**epoch
            trial.report(value, epoch)
            if trial.should_prune():
                break
        return value

    oracle = []
    for seed in SEEDS:
        study = optuna.create_study(
            # Its brackets follow from its name, which is random otherwise.
            study_name=f"study {seed}",
            sampler=optuna.samplers.RandomSampler(seed=seed),
            pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3),
        )
        study.optimize(objective, n_trials=jobs)
        oracle.append((study.best_value, sum(len(trial.intermediate_values) for trial in study.trials)))

    assert statistics.median(best for best, _ in found) <= statistics.median(best for best, _ in oracle)
    assert statistics.median(taken for _, taken in found) <= statistics.median(taken for _, taken in oracle)
    assert statistics.median(taken for _, taken in found) < jobs * epochs / 2


def test_warm_start_finds_a_better_optimum_in_as_many_jobs() -> None:
    def best(seed: int, known: list[dict[str, Any]]) -> float:
        record = record_of(FUNCTIONS["branin"][1], "Bayesian", seed)
        record["_Definition"]["Known"] = known
        for number in range(1, 7):
            values = trials.values(record, number)
            tried(record, values, branin({key: float(text) for key, text in values.items()}))
        return min(trials.value(trial) or 0.0 for trial in record["_Trials"])

    def parent(seed: int) -> list[dict[str, Any]]:
        found = FUNCTIONS["branin"][1]
        search = record_of(found, "Random", seed)["_Definition"]["Searches"][0]["Ranges"]
        drawn = [ranges.draw(search, f"parent {seed}", number) for number in range(1, 25)]
        return [
            {"Values": values, "Objective": branin({key: float(text) for key, text in values.items()})}
            for values in drawn
        ]

    warm = statistics.median(best(seed, parent(seed)) for seed in SEEDS)
    cold = statistics.median(best(seed, []) for seed in SEEDS)
    assert warm < cold
