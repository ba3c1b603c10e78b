"""amazon_ml as Airflow has it where the project's wheel is installed: a provider."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import wheel_kit
from airflow.sdk import BaseOperatorLink

import amazon_ml.links
from amazon_ml.get_provider_info import get_provider_info


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run a command of Airflow in an environment with the wheel, and return its JSON."""
    folder = tmp_path_factory.mktemp("provider")
    interpreter = wheel_kit.environment(folder / "environment", wheel_kit.build(folder), sys.executable)
    (wheel_kit.site_packages(interpreter) / "airflow.pth").write_text(sysconfig.get_path("purelib"))
    environment = wheel_kit.clean() | {"AIRFLOW_HOME": str(folder / "airflow")}

    def run(*arguments: str) -> Any:
        command = [interpreter, "-m", "airflow", *arguments, "--output", "json"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout[done.stdout.index("[") :])

    return run


def test_airflow_lists_the_wheel_as_a_provider(airflow: Any) -> None:
    listed = {provider["package_name"]: provider for provider in airflow("providers", "list")}
    assert "SageMaker" in listed[get_provider_info()["package-name"]]["description"]


def test_airflow_knows_every_link_without_the_plugins_folder(airflow: Any) -> None:
    links = {link["extra_link_class_name"] for link in airflow("providers", "links")}
    assert set(get_provider_info()["extra-links"]) <= links


def test_the_provider_names_every_link_class() -> None:
    found = set()
    for path in Path(amazon_ml.links.__path__[0]).glob("[!_]*.py"):
        module = importlib.import_module(f"amazon_ml.links.{path.stem}")
        for name, each in vars(module).items():
            if isinstance(each, type) and issubclass(each, BaseOperatorLink) and each.__module__ == module.__name__:
                found.add(f"{module.__name__}.{name}")
    assert found == set(get_provider_info()["extra-links"])
