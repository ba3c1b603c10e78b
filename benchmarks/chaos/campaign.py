"""Runs of the chain, one after the other, while processes are killed. See :mod:`benchmarks.chaos.__main__`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from benchmarks.chaos import checks
from benchmarks.chaos.kills import Helper, Killer, Record, now, say
from stack import processes
from stack.airflow_api import AirflowApi
from stack.health import PARTS
from stack.layout import Stack, StackError
from stack.summary import INGEST, TRAIN

#: seconds until a run is given up, and until Airflow must have answered.
RUN_S, ANSWER_S = 3600.0, 600.0


class Campaign:
    """Runs of the chain on a stack, beside a killer and a helper."""

    def __init__(
        self,
        stack: Stack,
        *,
        up: Callable[[], str | None],
        seed: int,
        kills: int,
        spacing: tuple[float, float],
        reviews: int,
    ) -> None:
        """
        :param up: brings the stack up; None, or what went wrong.
        :param spacing: least and most seconds between two kills.
        :param reviews: rows that the first ingest takes.
        """
        self.stack, self.api = stack, AirflowApi(stack)
        self.record = Record(seed)
        self._reviews = reviews
        chance = random.Random(seed)
        self._helper = Helper(up, self.record, random.Random(seed + 1))
        self._killer = Killer(stack, self._helper, self.record, chance, kills, spacing)
        self._ledger = checks.Ledger(stack)
        self._seen: set[tuple[str, str]] = set()

    def run(self) -> Record:
        """Run until the kills are used up, or something was found."""
        self._seen = self._runs()
        with self._helper, self._killer:
            while self._killer.left and not self.record.faults:
                self._cycle(len(self.record.runs))
        return self.record

    def _cycle(self, number: int) -> None:
        ingest = f"chaos_{self.record.seed}_{number}"
        began = time.monotonic()
        entry: dict[str, Any] = {"ingest": ingest, "at": now(), "train": None}
        self.record.runs.append(entry)
        with self._killer.at_work():
            self._trigger(ingest, {"max_reviews": self._reviews + number})
            states = self._ended(INGEST, ingest)
            if states == "success":
                entry["train"] = train = self._set_off(ingest)
                states = self._ended(TRAIN, train) if train else "not set off"
            self._all_ended()
        entry["seconds"] = round(time.monotonic() - began, 1)
        self._settle()
        found = checks.faults(self.stack, self.api, ingest, entry["train"], self.record.killed_jobs, self._ledger)
        found += [fault for run in self._runs() - self._seen for fault in checks.failed_tasks(self.api, *run)]
        self._seen = self._runs()
        entry["faults"] = found
        self.record.faults += found
        say(
            f"{ingest}: {states}, {entry['seconds']} s, {len(self.record.kills)} kills so far; "
            f"{found or 'nothing lost'}"
        )
        # Else the next model, hardly better, would be turned down: but for every third, each has to be deployed.
        if not found and number % 3 != 1:
            checks.retire_champion(self.stack)

    def _trigger(self, run_id: str, conf: dict[str, Any]) -> None:
        def trigger() -> None:
            try:
                self.api.trigger(INGEST, run_id, conf)
            except StackError as error:
                # The answer to the first try was lost.
                if "answered 409" not in str(error):
                    raise

        self._patiently(trigger)

    def _set_off(self, ingest: str) -> str | None:
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            for dag_id, run_id in self._patiently(lambda: self.api.triggered_by(INGEST, ingest)):
                if dag_id == TRAIN:
                    return str(run_id)
            time.sleep(1)
        return None

    def _ended(self, dag_id: str, run_id: str, _: None = None) -> str:
        deadline = time.monotonic() + RUN_S
        while time.monotonic() < deadline and not self.record.faults:
            state = self._patiently(lambda: self.api.run(dag_id, run_id))["state"]
            if state in ("success", "failed"):
                return str(state)
            time.sleep(2)
        return "not ended in time"

    def _runs(self, **asked: Any) -> set[tuple[str, str]]:
        """Return the runs of all DAGs, those that the chain's Assets set off among them."""
        found = self._patiently(lambda: self.api.call("GET", "/dags/~/dagRuns", params={"limit": 100, **asked}))
        return {(run["dag_id"], run["dag_run_id"]) for run in found["dag_runs"]}

    def _all_ended(self) -> None:
        """Wait for the other DAGs that the Assets have set off."""
        deadline = time.monotonic() + RUN_S
        while going := self._runs(state=["running", "queued"]) - self._seen:
            if time.monotonic() > deadline:
                self.record.faults.append(f"not ended in time: {going}")
                return
            time.sleep(2)

    def _settle(self) -> None:
        """Wait until the helper has nothing to do and the stack is whole."""
        deadline = time.monotonic() + ANSWER_S
        while not (not self._helper.down and self._whole()):
            if time.monotonic() > deadline:
                self.record.faults.append(f"the stack is not whole {ANSWER_S:.0f} s after the last kill")
                return
            time.sleep(1)

    def _whole(self) -> bool:
        if not all(processes.find(self.stack, part) for part in PARTS):
            return False
        try:
            health = self.api.call("GET", "/monitor/health")
        except StackError:
            return False
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "dag_processor"))

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Ask Airflow again while it is away, as it is by our doing."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                return call()
            except StackError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
