"""docker-compose.yaml: allowed by Compose's schema, and safe by what it says; and how the rehearsal reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import compose
from stack.layout import ROOT, StackError

FILE, EXAMPLE = ROOT / "docker-compose.yaml", ROOT / ".env.example"
SECRETS = {
    "AIRFLOW_ADMIN_PASSWORD",
    "API_SECRET_KEY",
    "FERNET_KEY",
    "JWT_SECRET",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text())["services"])


def set_in(example: Path) -> dict[str, str]:
    lines = [line.partition("=") for line in example.read_text().splitlines() if not line.startswith("#")]
    return {name: value for name, separator, value in lines if separator}


def test_compose_would_take_the_file(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert subprocess.run([*check, str(FILE)], capture_output=True, text=True).stdout.strip() == "ok -- validation done"
    bad = tmp_path / "bad.yaml"
    bad.write_text("services: {a: {imagine: b}}")
    broken = subprocess.run([*check, str(bad)], capture_output=True, text=True)
    assert broken.returncode == 1 and "imagine" in broken.stdout


def test_every_service_is_watched_limited_and_nobodys_root(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["user"].partition(":")[0] not in ("0", "root"), name
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        if name != "airflow-init":
            assert service["healthcheck"]["test"][0] == "CMD" and service["restart"] == "unless-stopped", name
        assert re.search(r":\d+\.\d+\.\d+|:\d+\.\d+-\w+", service["image"]), f"{name}'s image is not pinned"


def test_only_the_ui_is_published_and_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"network": ["127.0.0.1:${AIRFLOW_PORT:-8080}:8080"]}
    others = [service for name, service in services.items() if name != "network"]
    assert {service["network_mode"] for service in others} == {"service:network"}


def test_airflow_begins_when_its_database_is_ready(services: dict[str, Any]) -> None:
    parts = [name for name in services if name.startswith("airflow-") and name != "airflow-init"]
    assert len(parts) == 6
    for name in parts:
        assert services[name]["depends_on"] == {"airflow-init": {"condition": "service_completed_successfully"}}
    needs = services["airflow-init"]["depends_on"]
    assert {name for name, rule in needs.items() if rule["condition"] == "service_healthy"} == {
        "postgres",
        "redis",
        "localaws",
    }
    assert needs["localaws"]["required"] is False and services["localaws"]["profiles"] == ["local"]


def test_no_secret_has_a_default() -> None:
    used = set(re.findall(r"\$\{(\w+)", FILE.read_text()))
    assert used >= SECRETS
    assert {name for name, value in set_in(EXAMPLE).items() if not value} == SECRETS
    for name in SECRETS:
        assert re.search(rf"\$\{{{name}:\?", FILE.read_text()), name
    for name in SECRETS:
        kept = dict.fromkeys(SECRETS - {name}, "x")
        with pytest.raises(StackError, match=rf"{name} is not set: .env has to set {name}"):
            compose.services(FILE, kept, "local", {})


def test_git_ignores_the_file_with_the_secrets() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("profile", ["local", "aws"])
def test_services_come_after_those_that_they_need(profile: str) -> None:
    found = compose.services(FILE, dict.fromkeys(SECRETS, "x"), profile, {})
    assert ("localaws" in found) is (profile == "local")
    order = list(found)
    for name, service in found.items():
        assert all(order.index(other) < order.index(name) for other in service.needs if other in found)


def test_commands_of_airflow_are_airflows() -> None:
    found = compose.services(FILE, dict.fromkeys(SECRETS, "x"), "local", {})
    airflow = shutil.which("airflow", path=str(Path(sys.executable).parent))
    assert airflow
    commands = {service.argv[1] for name, service in found.items() if service.argv[:1] == ["airflow"]}
    assert commands == {"api-server", "celery", "dag-processor", "scheduler", "triggerer"}


def test_ports_and_folders_are_moved_whole() -> None:
    moved = {"8080": "1", "/opt/localaws": "/home/l", "/data": "/home/d", "/var/lib/postgresql/data": "/home/p"}
    text = "http://127.0.0.1:8080/ port=8080 18080 /opt/localaws/credentials /opt/localaws-code /data /a/data"
    expected = "http://127.0.0.1:1/ port=1 18080 /home/l/credentials /opt/localaws-code /home/d /a/data"
    assert compose.relocated(text, moved) == expected
    assert compose.relocated("/var/lib/postgresql/data", moved) == "/home/p"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a ${A} $A", "a 1 1"),
        ("${B:-2}${C-3}${E-4}", "23"),
        ("$$A ${D}", "$A "),
        ("${E:-5}", "5"),
    ],
)
def test_variables_are_read_as_compose_does(text: str, value: str) -> None:
    assert compose.interpolated(text, {"A": "1", "E": ""}) == value


def test_services_that_need_each_other_are_named() -> None:
    with pytest.raises(StackError, match="need each other: a, b"):
        compose.in_order({"a": ["b"], "b": ["a"], "c": []})
