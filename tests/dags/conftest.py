"""DAG integrity tests parse the DAG files as Airflow's DAG processor does, with the network shut."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def airflow_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The project's folders, and a home of Airflow's own: before the first import of Airflow."""
    os.environ.setdefault("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "plugins")
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
    for path in (str(ROOT), str(ROOT / "plugins")):
        if path not in sys.path:
            sys.path.insert(0, path)


@pytest.fixture(scope="session")
def dagbag(airflow_settings: None) -> Any:
    """All DAGs of ``dags/``; parsing that opens a connection or reads a Variable or Connection fails."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import Connection, Variable

    def refuse(*arguments: object, **_: object) -> Any:
        raise AssertionError(f"a DAG file reaches out while it is parsed: {arguments}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(Variable, "get", refuse)
        patch.setattr(Connection, "get", refuse)
        return DagBag(dag_folder=str(ROOT / "dags"))
