"""The demo's people: a run of ``human_review``, a scripted worker who answers, and the training that follows."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stack.airflow_api import AirflowApi
from stack.layout import Stack, StackError
from stack.scripted_worker import ScriptedWorker, true_labels, work
from stack.summary import client, s3_client

DAG = "human_review"
EMAIL = "worker@example.com"
#: reviews that are asked about, and the share of wrong answers.
BUDGET, ERROR_RATE = 40, 0.1
BUCKET = "sentiment-reviews"
ENDPOINT = "sentiment"
#: what the run is asked for: a person answers within minutes, or the demo continues with what there is.
CONF = {"workers": [EMAIL], "budget": BUDGET, "minutes": 20}
#: the task that waits for people, and the states in which it does.
LOOPS, WAITING = "round_1.a2i.loops", {"running", "deferred"}


def is_served(stack: Stack) -> bool:
    """Return whether the endpoint that scores the reviews is there."""
    name = stack.settings.get("REVIEWS_ENDPOINT", ENDPOINT)
    endpoints = client(stack, "sagemaker").list_endpoints(NameContains=name, StatusEquals="InService")["Endpoints"]
    return any(endpoint["EndpointName"] == name for endpoint in endpoints)


def start(api: AirflowApi, run_id: str) -> None:
    """Begin a run of the DAG."""
    api.trigger(DAG, run_id, CONF)


class Worker:
    """A thread with the scripted worker, while a run waits for people."""

    def __init__(self, stack: Stack, run_id: str) -> None:
        self.stack, self.run_id = stack, run_id
        self.answered = 0
        self.problem: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def check(self) -> None:
        """
        Check that the worker is well.

        :raises StackError: it could not continue.
        """
        if self.problem is not None:
            raise StackError(f"the scripted worker could not answer: {self.problem}") from self.problem

    def _work(self) -> None:
        # A session of its own: that of the demo is used by the demo's thread.
        api = AirflowApi(self.stack)
        try:
            while not self._is_wanted(api):
                if self._over.wait(1):
                    return
            worker = sign_in(self.stack)
            truth = true_labels(s3_client(self.stack), self.stack.settings.get("REVIEWS_BUCKET", BUCKET))
            self.answered = work(worker, truth, lambda: not self._over.is_set() and self._is_wanted(api))
        except Exception as error:
            self.problem = error

    def _is_wanted(self, api: AirflowApi) -> bool:
        states = {task["task_id"]: task["state"] for task in api.tasks(DAG, self.run_id)}
        return states.get(LOOPS) in WAITING


def portal(stack: Stack) -> str:
    """Return the worker portal's URL. :raises StackError: localaws has none."""
    path = stack.home / "localaws" / "portal.json"
    try:
        return str(json.loads(path.read_text())["url"])
    except (OSError, ValueError, KeyError) as error:
        raise StackError(f"there is no worker portal: {path} cannot be read ({error})") from error


def sign_in(stack: Stack) -> ScriptedWorker:
    """Sign in, with the temporary password of the secret at first, and later with the one that was chosen then."""
    kept = stack.home / "demo" / "worker.json"
    chosen = json.loads(kept.read_text())["password"] if kept.exists() else None
    if chosen is None:
        secret = client(stack, "secretsmanager").get_secret_value(SecretId=f"human_review/{EMAIL}")
        chosen = f"Demo-{secrets.token_urlsafe(12)}-1a"
        # Written before it is chosen: a worker that is killed in between can still sign in.
        _keep(kept, chosen)
        temporary = json.loads(secret["SecretString"])["password"]
        worker = ScriptedWorker(portal(stack), EMAIL, temporary, new_password=chosen, error_rate=ERROR_RATE)
        try:
            worker.sign_in()
        except StackError:
            kept.unlink()
            raise
        return worker
    worker = ScriptedWorker(portal(stack), EMAIL, chosen, new_password=chosen, error_rate=ERROR_RATE)
    worker.sign_in()
    return worker


def _keep(path: Path, password: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps({"username": EMAIL, "password": password}))


def collect(api: AirflowApi, run_id: str, train: str, train_run: str) -> dict[str, Any]:
    """Return what came of the loop: asked, labelled, the model's accuracy by people, and the verdict afterwards."""
    report = api.xcom(DAG, run_id, "labels", "result")
    verdict = api.xcom(train, train_run, "judge") or {}
    corrected = (api.xcom(train, train_run, "features") or {}).get("result", {}).get("human_labels")
    return {
        "run": run_id,
        "retraining": train_run,
        "asked": report["asked"],
        "labelled": report["labelled"],
        "model": {name: report["model"][name]["accuracy"] for name in ("control", "uncertain")},
        "learnt": corrected,
        "verdict": verdict.get("reason"),
        "low_confidence": verdict.get("low_confidence"),
    }


def describe(found: dict[str, Any], say: Callable[[str], None]) -> None:
    """Print what came of the loop."""
    right = ", ".join(f"{name} {value:.0%}" for name, value in found["model"].items() if value is not None)
    say(f"People      {found['labelled']} of {found['asked']} reviews labelled; by them the model is right on: {right}")
    if found["learnt"]:
        say(f"Learnt      {found['learnt']['in_training']} labels, {found['learnt']['changed']} other than the rating")
    slice_ = found["low_confidence"]
    if slice_ and slice_["reviews"]:
        before, after = slice_["before"]["accuracy"], slice_["after"]["accuracy"]
        low, high = (100 * value for value in slice_["interval"])
        say(
            f"Unsure      {slice_['reviews']} test reviews below {slice_['threshold']}: accuracy {before:.1%} before, "
            f"{after:.1%} after ({low:+.1f} to {high:+.1f} points)"
        )
    if found["verdict"]:
        say(f"Retrained   {found['verdict']}")
