"""Who wins: the figures of both variants after one of several looks, and the rule that ends the experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from counting import CHALLENGER, CHAMPION, VARIANTS, Counts, count
from intervals import wilson
from job import BadInput
from labelled import Asked
from latency import percentiles, speedup
from proportions import pairs_needed, requests_needed, smallest_difference, smallest_paired_difference
from scipy.stats import norm
from sequential import boundaries, inflation

CONTINUE = "continue"
#: least share of the reviews between two looks.
_STEP = 1e-3


@dataclass(frozen=True)
class Plan:
    """
    What was decided before the first request.

    :param design: "random": each review went to one variant, drawn by the endpoint; "paired": to both.
    :param reviews: distinct reviews to be asked about by the last look.
    :param looks: how often is looked; the level is spent over them by ``spending``.
    :param alpha: probability of a false winner, all looks and the latency together.
    :param latency_share: the part of ``alpha`` that the latency may use up, at the last look only.
    :param power: probability of finding a difference of ``min_difference``.
    :param max_loss: a faster challenger wins without a difference in accuracy only if the interval of that difference
        excludes a loss of this size.
    :param min_speedup: share of the champion's median latency that a faster challenger must surely save.
    """

    design: str = "random"
    reviews: int = 0
    looks: int = 3
    alpha: float = 0.05
    latency_share: float = 0.2
    power: float = 0.8
    min_difference: float = 0.05
    spending: str = "obrien_fleming"
    max_loss: float = 0.1
    min_speedup: float = 0.05

    @property
    def accuracy_alpha(self) -> float:
        """The level that is left for the accuracy."""
        return self.alpha * (1 - self.latency_share)


def compare(asked: Sequence[Asked], look: int, plan: Plan) -> dict[str, Any]:
    """
    Return the report after ``look`` of ``plan.looks``: figures, test, boundaries, power, and the decision.

    ``decision`` is "continue", "challenger" or "champion"; ``difference_found`` says whether the accuracies differ.

    :raises BadInput: there is nothing to compare.
    """
    so_far = [count([one for one in asked if one.look <= upto], plan.design) for upto in range(1, look + 1)]
    now, test = so_far[-1], so_far[-1].test()
    fractions = _fractions(so_far, look, plan)
    bounds = boundaries(fractions, plan.accuracy_alpha, plan.spending)
    level = float(2 * norm.sf(bounds[look - 1]))
    interval = now.interval(1 - level)
    latencies = {
        name: np.array([one.latency_ms for one in asked if one.variant == name and one.answered]) for name in VARIANTS
    }
    if min(map(len, latencies.values())) < 2:
        raise BadInput("a variant has answered less than two requests: see its log group /aws/sagemaker/Endpoints")
    faster = speedup(latencies[CHAMPION], latencies[CHALLENGER], 1 - 2 * plan.alpha * plan.latency_share)
    report = {
        "plan": asdict(plan),
        "look": look,
        "reviews": now.reviews,
        "variants": {name: _figures(name, asked, now, latencies[name]) for name in VARIANTS},
        "unattributed": sum(one.variant not in VARIANTS for one in asked),
        "test": {
            "name": test.name,
            "difference": test.difference,
            "p_value": test.p_value,
            "level": level,
            "interval": list(interval),
            "only_challenger": now.gained,
            "only_champion": now.lost,
        },
        "speedup": faster,
        "looks": {
            "fractions": fractions,
            "boundaries": bounds,
            "z": [counts.test().z for counts in so_far],
        },
        "power": _power(now, plan),
    }
    report["difference_found"] = test.p_value <= level
    report["decision"], report["because"] = _decide(report, plan)
    return report


def _fractions(so_far: Sequence[Counts], look: int, plan: Plan) -> list[float]:
    """Return shares of the planned reviews: those seen at the looks so far, even ones for the rest; 1 at the last."""
    planned = max(plan.reviews, so_far[-1].reviews)
    shares: list[float] = []
    for at in range(1, plan.looks + 1):
        before = shares[-1] if shares else 0.0
        share = so_far[at - 1].reviews / planned if at <= look else before + (1 - before) / (plan.looks - at + 1)
        # Rising, whatever the looks have brought.
        shares.append(min(max(share, before + _STEP), 1 - (plan.looks - at) * _STEP))
    return [*shares[:-1], 1.0]


def _figures(name: str, asked: Sequence[Asked], now: Counts, latencies: np.ndarray) -> dict[str, Any]:
    right, total = now.champion if name == CHAMPION else now.challenger
    mine = [one for one in asked if one.variant == name]
    return {
        "requests": len(mine),
        "errors": sum(not one.answered for one in mine),
        "reviews": total,
        "right": right,
        "accuracy": right / total,
        "accuracy_95": list(wilson(right, total)),
        "latency_ms": percentiles(latencies),
    }


def _power(now: Counts, plan: Plan) -> dict[str, Any]:
    """Return how many reviews a variant needs for ``min_difference``, and the least difference that the plan finds."""
    factor = inflation(plan.looks, plan.accuracy_alpha, plan.power, plan.spending)
    right, total = now.champion
    share, alpha = right / total, plan.accuracy_alpha
    if now.gained is not None and now.lost is not None:
        differing = max((now.gained + now.lost) / total, 1 / total)
        needed = pairs_needed(differing, plan.min_difference, alpha, plan.power)
        smallest = smallest_paired_difference(plan.reviews / factor, differing, alpha, plan.power)
    else:
        needed = requests_needed(share, plan.min_difference, alpha, plan.power)
        smallest = smallest_difference(plan.reviews / 2 / factor, share, alpha, plan.power)
    return {
        "reviews_needed": int(np.ceil(needed * factor)),
        "inflation": factor,
        "smallest_difference": smallest,
        "planned": plan.reviews if now.paired else plan.reviews // 2,
    }


def _decide(report: dict[str, Any], plan: Plan) -> tuple[str, str]:
    test, look = report["test"], report["look"]
    at = f"p = {test['p_value']:.4f} at a level of {test['level']:.4f}, look {look} of {plan.looks}"
    if report["difference_found"]:
        winner = CHALLENGER if test["difference"] > 0 else CHAMPION
        return winner, f"the {winner} is more accurate by {abs(test['difference']):.1%} ({at})"
    if look < plan.looks:
        return CONTINUE, f"no difference in accuracy yet ({at})"
    return _by_latency(report, plan, f"no difference in accuracy ({at})")


def _by_latency(report: dict[str, Any], plan: Plan, equal: str) -> tuple[str, str]:
    saved, loss = report["speedup"], -report["test"]["interval"][0]
    interval = f"{saved['low']:.1%} to {saved['high']:.1%}"
    latency = f"the challenger's median latency is shorter by {saved['value']:.1%} ({interval})"
    if saved["low"] <= plan.min_speedup:
        return CHAMPION, f"{equal}, and {latency}: not surely by more than {plan.min_speedup:.0%}"
    if loss >= plan.max_loss:
        return CHAMPION, f"{equal}; {latency}, but its accuracy may be lower by up to {loss:.1%}"
    return CHALLENGER, f"{equal}, and {latency}"
