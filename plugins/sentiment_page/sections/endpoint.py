"""The endpoints: what serves now, and requests, latency and errors by variant, from CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from amazon_ml.endpoint_series import read_series
from include.settings import settings
from sentiment_page.aws import Aws, NothingYet
from sentiment_page.charts import Axis, Line, lines

REQUESTS, LATENCY, ERRORS = "Invocations", "ModelLatency", "Invocation5XXErrors"
#: CloudWatch's metrics and statistics; latencies are in microseconds.
METRICS = {REQUESTS: "Sum", LATENCY: "p50", ERRORS: "Sum"}
#: endpoints that are shown at most.
MOST = 4
_CSS = {"champion": "champion", "challenger": "challenger"}
_OTHERS = ("fourth", "positive", "neutral")

Points = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Window:
    """How far back the charts go, and seconds a point."""

    name: str
    title: str
    back: timedelta
    period: int
    clock: str


WINDOWS = (
    Window("endpoint", "3 hours", timedelta(hours=3), 60, "%H:%M"),
    Window("endpoint-day", "24 hours", timedelta(days=1), 300, "%H:%M"),
    Window("endpoint-week", "7 days", timedelta(days=7), 3600, "%d %b"),
)


def read(aws: Aws, window: Window) -> dict[str, Any]:
    """Return each endpoint's state, and its charts over the window."""
    until = datetime.now(UTC)
    main = settings.endpoint_name
    # That of A/B tests is gone between two of them, and its metrics are not.
    names = list(dict.fromkeys([main, f"{main}-ab", *aws.sagemaker.endpoints(main)]))[:MOST]
    shown = [found for name in names if (found := _endpoint(aws, name, window, until))]
    if not shown:
        raise NothingYet(f"There is no endpoint {main} yet: run train_sentiment.")
    return {"endpoints": shown, "windows": WINDOWS, "window": window}


def _endpoint(aws: Aws, name: str, window: Window, until: datetime) -> dict[str, Any] | None:
    description = aws.sagemaker.describe("Endpoint", name)
    serving = {each["VariantName"]: each for each in (description or {}).get("ProductionVariants", [])}
    variants = sorted({*serving, *aws.cloudwatch.variants(name)})
    if not variants:
        return None
    since = until - window.back
    series = read_series(aws.cloudwatch, name, variants, METRICS, since=since, until=until, period=window.period)
    if not serving and not any(series[variant][REQUESTS] for variant in variants):
        return None
    weights = sum(each.get("CurrentWeight", 0.0) for each in serving.values()) or 1.0
    others = iter(_OTHERS if _CSS.keys() & variants else ("plain", *_OTHERS))
    css = {variant: _CSS.get(variant) or next(others, "neutral") for variant in variants}
    draw = partial(_chart, series, css, _time(since, until, window), window.period)
    return {
        "name": name,
        "status": description["EndpointStatus"] if description else "deleted",
        "variants": [
            _variant(variant, css[variant], series[variant])
            | {
                "share": serving[variant].get("CurrentWeight", 0.0) / weights if variant in serving else None,
                "instances": serving.get(variant, {}).get("CurrentInstanceCount"),
            }
            for variant in variants
        ],
        "charts": [
            draw(REQUESTS, f"Requests per {_length(window.period)}"),
            draw(LATENCY, "Median model latency", 1e-3, " ms"),
        ],
    }


def _variant(name: str, css: str, series: Mapping[str, Points]) -> dict[str, Any]:
    requests, errors = (sum(point["value"] for point in series[metric]) for metric in (REQUESTS, ERRORS))
    latencies = [point["value"] for point in series[LATENCY]]
    return {
        "name": name,
        "css": css,
        "requests": int(requests),
        "errors": int(errors),
        "latency_ms": (min(latencies) / 1000, max(latencies) / 1000) if latencies else None,
    }


def _chart(
    series: Mapping[str, Mapping[str, Points]],
    css: Mapping[str, str],
    time: Axis,
    period: int,
    metric: str,
    title: str,
    factor: float = 1.0,
    unit: str = "",
) -> dict[str, Any]:
    drawn = [
        Line(variant, css[variant], [(point["at"], point["value"] * factor) for point in found[metric]])
        for variant, found in series.items()
    ]
    said = [
        f"{line.name} from {_plain(min(own))} to {_plain(max(own))}{unit}"
        for line in drawn
        if (own := [value for _, value in line.points])
    ]
    if METRICS[metric] == "Sum":
        drawn = [Line(line.name, line.css, _with_zeros(line.points, period)) for line in drawn]
    top = round_up(max((value for line in drawn for _, value in line.points), default=0.0))
    ticks = [(top, f"{_plain(top)}{unit}"), (top / 2, f"{_plain(top / 2)}{unit}")]
    svg = lines(
        title, "; ".join(said) or "No requests in this time", drawn, time, Axis(0, top, ticks), gap=2.5 * period
    )
    return {"title": title, "svg": svg}


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _with_zeros(points: Sequence[tuple[float, float]], period: int) -> list[tuple[float, float]]:
    """Add zeros beside what was counted: CloudWatch has no point where there was nothing to count."""
    found = {beside: 0.0 for at, _ in points for beside in (at - period, at + period)} | dict(points)
    return sorted(found.items())


def round_up(value: float) -> float:
    """Return the next round number, for the top of an axis."""
    step = 1e-3
    while True:
        for factor in (1, 2, 3, 4, 5, 6, 8):
            if factor * step >= value:
                return factor * step
        step *= 10


def _time(since: datetime, until: datetime, window: Window) -> Axis:
    begin, end = since.timestamp(), until.timestamp()
    ticks = [begin + part * (end - begin) / 3 for part in range(4)]
    return Axis(begin, end, [(at, datetime.fromtimestamp(at, UTC).strftime(window.clock)) for at in ticks])


def _length(period: int) -> str:
    return {60: "minute", 300: "five minutes", 3600: "hour"}[period]
