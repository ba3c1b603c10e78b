"""What the demo has to say at its end: read from XCom and S3, written as JSON, shown as tables."""

from __future__ import annotations

import configparser
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from stack.airflow_api import AirflowApi
from stack.layout import ROOT, Stack, StackError

INGEST = "ingest_reviews"
TRAIN = "train_sentiment"
LABELS = {-1: "negative", 0: "neutral", 1: "positive"}


def collect(stack: Stack, api: AirflowApi, *, ingest_run: str, train_run: str) -> dict[str, Any]:
    """
    Summarise the two runs; copy the charts to ``.local/demo/``.

    Where nothing had changed and so nothing was trained, figures and predictions are of the last run that trained.
    """
    trained_run = _trained(api, train_run)
    results = {
        **_results(api, INGEST, ingest_run, ["upload_raw", "transform", "charts"]),
        **_results(api, TRAIN, trained_run, ["features", "train", "evaluate", "judge", "deploy", "smoke"]),
    }
    counts = results["charts"]["result"]
    metrics = results["evaluate"]["result"]["metrics"]
    folder = stack.home / "demo" / "charts"
    charts = _download(
        stack, [results["charts"]["outputs"]["charts"], results["evaluate"]["outputs"]["report"]], folder
    )
    return {
        "reviews": {key: counts[key] for key in ("rows", "by_sentiment", "by_category")},
        "source": results["upload_raw"]["source"],
        "synthetic": results["upload_raw"]["synthetic"],
        "test_accuracy": metrics["accuracy"]["value"],
        "macro_f1": metrics["macro_f1"]["value"],
        "confusion_matrix": metrics["confusion_matrix"]["value"],
        "natural_mix": results["evaluate"]["result"].get("natural_mix"),
        "trained": trained_run == train_run,
        "deployed": results["deploy"] is not None,
        "verdict": results["judge"]["reason"],
        "endpoint": results["deploy"]["name"] if results["deploy"] else None,
        "predictions": results["smoke"]["predictions"] if results["smoke"] else [],
        "makespan_s": round(_end(api, TRAIN, train_run) - _start(api, INGEST, ingest_run), 1),
        "seconds_in_jobs": round(_seconds_in_jobs(results, trained=trained_run == train_run), 1),
        "charts": [str(path) for path in charts],
        "runs": {INGEST: ingest_run, TRAIN: trained_run},
    }


def _results(api: AirflowApi, dag_id: str, run_id: str, tasks: list[str]) -> dict[str, Any]:
    return {task: api.xcom(dag_id, run_id, task) for task in tasks}


def _trained(api: AirflowApi, train_run: str) -> str:
    """Return this run, or the last one before it that has trained a model where this found nothing changed."""
    for run_id in [train_run, *api.successful_runs(TRAIN)]:
        if api.xcom(TRAIN, run_id, "judge") is not None:
            return run_id
    raise StackError(f"{TRAIN} {train_run} found nothing changed, and no run of it that trained is on record")


def _seconds_in_jobs(results: dict[str, Any], *, trained: bool) -> float:
    jobs = ("transform", "charts", *(("features", "evaluate") if trained else ()))
    training = results["train"]["billable_seconds"] if trained else 0
    return float(sum(results[task]["seconds"] for task in jobs) + training)


def _start(api: AirflowApi, dag_id: str, run_id: str) -> float:
    return datetime.fromisoformat(api.run(dag_id, run_id)["start_date"]).timestamp()


def _end(api: AirflowApi, dag_id: str, run_id: str) -> float:
    return datetime.fromisoformat(api.run(dag_id, run_id)["end_date"]).timestamp()


def _download(stack: Stack, uris: list[str], folder: Path) -> list[Path]:
    """Copy the PNGs under ``uris`` into ``folder``."""
    client = s3_client(stack)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.png"):
        stale.unlink()
    charts = []
    for uri in uris:
        place = urlsplit(uri)
        listing = client.list_objects_v2(Bucket=place.netloc, Prefix=place.path.lstrip("/"))
        for key in (entry["Key"] for entry in listing.get("Contents", [])):
            if key.endswith(".png"):
                charts.append(folder / Path(key).name)
                client.download_file(place.netloc, key, str(charts[-1]))
    return sorted(charts)


def s3_client(stack: Stack) -> Any:
    """Return an S3 client of the stack's localaws."""
    return client(stack, "s3")


def client(stack: Stack, service: str) -> Any:
    """Return a boto3 client of the stack's localaws, with the keys that localaws made."""
    import boto3  # slow, and not every command needs it

    keys = configparser.ConfigParser()
    keys.read(stack.home / "credentials")
    return boto3.client(
        service,
        endpoint_url=stack.localaws_url,
        region_name="us-east-1",
        aws_access_key_id=keys["default"]["aws_access_key_id"],
        aws_secret_access_key=keys["default"]["aws_secret_access_key"],
    )


def show(summary: dict[str, Any], stack: Stack, api: AirflowApi, console: Console, file: str) -> None:
    """Print the summary."""
    reviews = summary["reviews"]
    console.rule("[bold]SYNTHETIC reviews (no real data was found)" if summary["synthetic"] else "[bold]Done")
    console.print(f"Source      {summary['source']}", soft_wrap=True)
    by_sentiment = ", ".join(
        f"{LABELS[int(key)]} {n:,}" for key, n in sorted(reviews["by_sentiment"].items(), key=_key)
    )
    console.print(f"Reviews     {reviews['rows']:,} in {len(reviews['by_category'])} categories: {by_sentiment}")
    accuracy, f1 = summary["test_accuracy"], summary["macro_f1"]
    console.print(f"Test        accuracy {accuracy:.4f}, macro F1 {f1:.4f}")
    if natural := summary["natural_mix"]:
        console.print(f"            on the natural mix, estimated: {_natural(natural)}")
    console.print()
    console.print(_confusion(summary["confusion_matrix"]))
    console.print()
    if not summary["trained"]:
        console.print("Nothing has changed since the last training: figures and predictions are of its model")
    console.print(f"Verdict     {summary['verdict']}")
    if summary["deployed"]:
        console.print(f"Endpoint    {summary['endpoint']}")
        console.print(_predictions(summary["predictions"]))
    else:
        console.print("[yellow]Not deployed: see train_sentiment.judge")
    console.print(f"\nTime        {summary['makespan_s']:.0f} s, of which {summary['seconds_in_jobs']:.0f} s in jobs")
    for chart in summary["charts"]:
        console.print(f"Chart       {_short(chart)}", soft_wrap=True)
    console.print(f"Summary     {file}")
    console.print(f"Airflow UI  {stack.airflow_url}   user admin, password {api.password}")
    console.print(f"localaws    {stack.localaws_url}")
    console.print("Stop it all with: make down")


def _natural(figures: dict[str, Any]) -> str:
    said = f"{figures['accuracy']:.3f} ± {figures['standard_error']:.3f}"
    corrected = figures.get("prior_corrected")
    return f"{said}; {corrected['accuracy']:.3f} with odds corrected for it" if corrected else said


def _key(item: tuple[str, int]) -> int:
    return int(item[0])


def _confusion(matrix: list[list[int]]) -> Table:
    table = Table(title="Confusion matrix (rows: true, columns: predicted)", title_justify="left", box=None)
    table.add_column("")
    for label in LABELS.values():
        table.add_column(label, justify="right")
    for label, row in zip(LABELS.values(), matrix, strict=True):
        table.add_row(label, *[str(count) for count in row])
    return table


def _predictions(predictions: list[dict[str, Any]]) -> Table:
    table = Table(box=None)
    for column in ("review", "sentiment", "probability"):
        table.add_column(column, justify="left" if column == "review" else "right")
    for prediction in predictions:
        sentiment, probability = prediction["predicted_label"], prediction["probability"]
        table.add_row(str(prediction.get("features", "")), str(sentiment), f"{probability:.3f}")
    return table


def _short(path: str) -> str:
    return str(Path(path).relative_to(ROOT)) if Path(path).is_relative_to(ROOT) else path
