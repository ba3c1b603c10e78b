"""The few calls of Airflow's REST API that the stack needs."""

from __future__ import annotations

import json
from typing import Any

import requests
from tenacity import RetryCallState, retry, retry_if_result, stop_after_attempt, wait_fixed

from stack.layout import Stack, StackError

#: how often a call is made at most, and after how many seconds again, where it meets a busy database.
_BUSY_TRIES, _BUSY_S = 6, 1.0


def _is_busy(answer: requests.Response) -> bool:
    """Return True if nothing was done because two components of Airflow wrote to its SQLite file at once."""
    return answer.status_code == 503 or (answer.status_code == 500 and "Database error" in answer.text)


def _last_answer(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None


class AirflowApi:
    """A client of ``/api/v2``, logged in as the admin whose password the stack generated."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._session = requests.Session()
        # A proxy in the environment must not see loopback traffic.
        self._session.trust_env = False

    @property
    def password(self) -> str:
        """The generated password of ``admin``."""
        return str(json.loads(self.stack.passwords.read_text())["admin"])

    def health(self) -> dict[str, Any] | None:
        """Ask the API server for its and the other components' health; ``None`` where it does not answer."""
        try:
            answer = self._session.get(f"{self.stack.airflow_url}/api/v2/monitor/health", timeout=5)
        except requests.RequestException:
            return None
        return dict(answer.json()) if answer.ok else None

    def healthy(self) -> bool:
        """Return True if the API answers, and scheduler, triggerer and DAG processor send heartbeats."""
        health = self.health()
        parts = ("scheduler", "triggerer", "dag_processor")
        return health is not None and all(health[part]["status"] == "healthy" for part in parts)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """
        Make one call; ``path`` is below ``/api/v2``.

        :raises StackError: any answer but 2xx, with what Airflow said.
        """
        if "Authorization" not in self._session.headers:
            self._log_in()
        answer = self._answer(method, f"/api/v2{path}", **options)
        if answer.status_code == 401:
            self._log_in()
            answer = self._answer(method, f"/api/v2{path}", **options)
        if not answer.ok:
            raise StackError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    @retry(
        retry=retry_if_result(_is_busy),
        stop=stop_after_attempt(_BUSY_TRIES),
        wait=wait_fixed(_BUSY_S),
        retry_error_callback=_last_answer,
    )
    def _answer(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._request(method, path, **options)

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(method, f"{self.stack.airflow_url}{path}", timeout=60, **options)
        except requests.RequestException as error:
            raise StackError(f"Airflow does not answer on {self.stack.airflow_url}: {error}") from error

    def _log_in(self) -> None:
        answer = self._request("POST", "/auth/token", json={"username": "admin", "password": self.password})
        if not answer.ok:
            raise StackError(f"Airflow refused the login of admin: {answer.status_code} {answer.text[:300]}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> None:
        """Start a run of a DAG."""
        body = {"dag_run_id": run_id, "conf": conf or {}, "logical_date": None}
        self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one DAG run."""
        return dict(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def successful_runs(self, dag_id: str) -> list[str]:
        """Return the ids of the last hundred runs that succeeded, the newest first."""
        parameters: dict[str, Any] = {"state": "success", "order_by": "-start_date", "limit": 100}
        return [run["dag_run_id"] for run in self.call("GET", f"/dags/{dag_id}/dagRuns", params=parameters)["dag_runs"]]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        answer = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        return list(answer["task_instances"])

    def order(self, dag_id: str) -> list[str]:
        """Return the task ids of a DAG in topological order."""
        tasks = self.call("GET", f"/dags/{dag_id}/tasks")["tasks"]
        downstream = {task["task_id"]: task["downstream_task_ids"] for task in tasks}
        upstream = {name: {up for up, downs in downstream.items() if name in downs} for name in downstream}
        order: list[str] = []
        while len(order) < len(downstream):
            order += [name for name in downstream if name not in order and upstream[name] <= set(order)]
        return order

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return what a task returned, or ``None``."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        try:
            return self.call("GET", path, params={"deserialize": "false", "stringify": "false"})["value"]
        except StackError as error:
            if "answered 404" in str(error):
                return None
            raise

    def triggered_by(self, dag_id: str, run_id: str) -> list[tuple[str, str]]:
        """Return the runs ``(dag id, run id)`` that the asset events of a run have set off."""
        parameters = {"source_dag_id": dag_id, "source_run_id": run_id}
        try:
            events = self.call("GET", "/assets/events", params=parameters)["asset_events"]
        except StackError as error:
            # Airflow 3.3.2 answers 500 while a run that was set off is queued: it has no start date, and the answer's
            # schema wants one. To be removed when it does not.
            if "answered 500" in str(error):
                return []
            raise
        return [(run["dag_id"], run["run_id"]) for event in events for run in event["created_dagruns"]]

    def log(self, dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        """Return the log of a task instance's last try, as text."""
        return "\n".join(_line(entry) for entry in self._log(dag_id, run_id, task))

    def reason(self, dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        """Return the message of the exception that ended a task instance's last try; "" where there was none."""
        entries = [entry for entry in self._log(dag_id, run_id, task) if isinstance(entry, dict)]
        errors = [entry["error_detail"][0] for entry in entries if entry.get("error_detail")]
        return str(errors[-1]["exc_value"]) if errors else ""

    def _log(self, dag_id: str, run_id: str, task: dict[str, Any]) -> list[Any]:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        content = self.call(
            "GET", path, params={"map_index": task["map_index"]}, headers={"Accept": "application/json"}
        )
        return list(content["content"])


def _line(entry: Any) -> str:
    """Return one entry of a structured log; an exception with its type, its text and the last frame it came through."""
    if isinstance(entry, str):
        return entry
    lines = [f"{entry.get('timestamp') or ''} {entry.get('level', '')} {entry.get('event', '')}".strip()]
    for error in entry.get("error_detail") or []:
        frame = error["frames"][-1] if error.get("frames") else {}
        place = f" ({frame['filename']}:{frame['lineno']})" if frame else ""
        lines.append(f"    {error['exc_type']}: {error['exc_value']}{place}")
    return "\n".join(lines)
