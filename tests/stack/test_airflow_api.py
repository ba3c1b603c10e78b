"""The client of Airflow's REST API where Airflow's database is busy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from requests import Response

from stack.airflow_api import AirflowApi
from stack.layout import Stack, StackError


class Busy:
    """A session whose first answers say that the database is busy."""

    def __init__(self, times: int) -> None:
        self.left, self.asked, self.headers = times, 0, {"Authorization": "Bearer x"}

    def request(self, method: str, url: str, **options: Any) -> Response:
        self.asked += 1
        answer = Response()
        answer.status_code = 503 if self.left else 200
        answer._content = b"busy" if self.left else b'{"state": "success"}'
        self.left -= bool(self.left)
        return answer


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(AirflowApi._answer.retry, "sleep", pauses.append)
    return pauses


def asking(tmp_path: Path, session: Any) -> AirflowApi:
    api = AirflowApi(Stack(home=tmp_path, localaws_port=1, airflow_port=2))
    api._session = session
    return api


def test_a_busy_database_is_asked_again_after_a_second(tmp_path: Path, slept: list[float]) -> None:
    session = Busy(2)
    assert asking(tmp_path, session).run("dag", "run") == {"state": "success"}
    assert (session.asked, slept) == (3, [1.0, 1.0])


def test_a_database_that_stays_busy_is_told_with_its_answer(tmp_path: Path, slept: list[float]) -> None:
    session = Busy(100)
    with pytest.raises(StackError, match="answered 503 to GET /dags/dag/dagRuns/run: busy"):
        asking(tmp_path, session).run("dag", "run")
    assert (session.asked, slept) == (6, [1.0] * 5)
