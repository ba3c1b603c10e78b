"""
The back end of Label Studio against a real server, where one is installed: it has an environment of its own.

    python -m venv ls && ls/bin/pip install label-studio==1.23.2
    LABEL_STUDIO=ls/bin/label-studio pytest tests/plugins/test_label_studio_server.py      # a minute or two, SQLite
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from operator_kit import BUCKET
from waiting_kit import until

from include.human_review.backends import label_studio
from include.human_review.backends.base import read_lines, write_lines
from include.human_review.backends.label_studio_client import LabelStudio, LabelStudioRefused

#: seconds until the server has made its database and answers.
PATIENCE = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and legacy token of a Label Studio of this module's own."""
    program = os.environ.get("LABEL_STUDIO", "")
    if not program:
        pytest.skip("no Label Studio is installed here: set LABEL_STUDIO to its program; see the module's docstring")
    home, token = tmp_path_factory.mktemp("label_studio"), secrets.token_hex(20)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(home),
        "LABEL_STUDIO_USERNAME": "person@example.com",
        "LABEL_STUDIO_PASSWORD": secrets.token_urlsafe(12),
        "LABEL_STUDIO_USER_TOKEN": token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "false",
        "DJANGO_DB": "sqlite",
    }
    command = [program, "start", "--no-browser", "--port", str(port), "--internal-host", "127.0.0.1"]
    command += ["--database", str(home / "label_studio.sqlite3")]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=log, stderr=log, cwd=home, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _until_it_answers(url, process, home / "log")
        yield url, token
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            return requests.get(f"{url}/api/version", timeout=5).ok
        except requests.RequestException:
            return False

    until(answers, timeout=PATIENCE, every=1, what=f"Label Studio answers, see {log}")


@pytest.fixture
def items(aws: Any) -> str:
    uri = f"s3://{BUCKET}/label_studio/items.jsonl"
    shown = {"initialValue": "Neutral", "title": "", "taskObject": "x", "body": "It ran small.\nBack it goes."}
    # More than a page of tasks.
    write_lines(uri, [{"id": f"r{number}", "input": shown} for number in range(120)])
    return uri


def annotate(server: tuple[str, str], task: int, label: str) -> None:
    """What a person's page does."""
    url, token = server
    chosen: Any = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
    answer = requests.post(
        f"{url}/api/tasks/{task}/annotations/",
        json={"result": [chosen], "lead_time": 2.5},
        headers={"Authorization": f"Token {token}"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text


def test_items_are_pushed_once_and_annotations_come_back(
    server: tuple[str, str], items: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LabelStudio, "of", classmethod(lambda cls, _: cls(*server)))
    pushed = label_studio.push(items, "a run", 1, "1", "60")
    assert label_studio.push(items, "a run", 1, "1", "60")["project"] == pushed["project"]
    client = LabelStudio(*server)
    tasks = {each["data"]["review_id"]: each for each in client.tasks(pushed["project"])}
    assert len(tasks) == 120
    assert tasks["r0"]["predictions"][0]["result"][0]["value"] == {"choices": ["Neutral"]}

    annotate(server, tasks["r0"]["id"], "Negative")
    annotate(server, tasks["r119"]["id"], "Positive")
    assert not label_studio.is_over(pushed)
    target = f"s3://{BUCKET}/label_studio/answers.jsonl"
    result = label_studio.collect(items, pushed, target)
    assert (result["items"], result["answered"]) == (120, 2)
    found = {line["id"]: line for line in read_lines(target)}
    (answer,) = found["r0"]["answers"]
    assert (answer["label"], answer["seconds"]) == ("Negative", 2.5)
    assert answer["worker"].startswith("label_studio:") and answer["at"].endswith("Z")
    assert found["r1"]["reason"] == "nobody has answered in time"


def test_a_wrong_token_is_refused(server: tuple[str, str]) -> None:
    with pytest.raises(LabelStudioRefused, match="answered 401"):
        LabelStudio(server[0], "f" * 40).project("one", label_studio.CONFIG, 1, "")
