"""
The values of Airflow's Helm chart: the versions and settings of the other deployments, no secrets, no root.

With ``AIRFLOW_CHART`` (the chart's .tgz, which is not part of this project) they are checked by the chart's own schema,
and rendered where ``helm-python-sdk`` is installed.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra.policy import TEMPLATE

ROOT = Path(__file__).parents[2]
FILE = ROOT / "infra" / "helm" / "values.yaml"
PROCESSES = ("apiServer", "dagProcessor", "migrateDatabaseJob", "scheduler", "triggerer")


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


@pytest.fixture(scope="module")
def chart() -> Path:
    path = os.environ.get("AIRFLOW_CHART", "")
    if not path:
        pytest.skip("the chart is not here: set AIRFLOW_CHART to its .tgz")
    return Path(path)


def scalars(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from scalars(inner, (*path, str(key)))
    else:
        yield path, value


def test_the_image_is_the_one_of_docker_compose(values: dict[str, Any]) -> None:
    version = re.findall(r"^apache-airflow==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert [values["airflowVersion"], values["defaultAirflowTag"], values["images"]["airflow"]["tag"]] == version * 3
    name = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["airflow-scheduler"]["image"]
    assert f"{values['images']['airflow']['repository']}:{values['images']['airflow']['tag']}".endswith(f"/{name}")


def test_what_compose_was_rehearsed_with_is_set_here_too(values: dict[str, Any]) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["airflow-scheduler"]["environment"]
    for section, name in (
        ("celery", "worker_concurrency"),
        ("scheduler", "task_instance_heartbeat_timeout"),
        ("workers", "execution_api_retries"),
        ("workers", "execution_api_retry_wait_max"),
    ):
        assert str(values["config"][section][name]) == compose[f"AIRFLOW__{section.upper()}__{name.upper()}"]
    assert values["executor"] == compose["AIRFLOW__CORE__EXECUTOR"]
    assert f"{values['uid']}:{values['gid']}" == "50000:0"


def test_secrets_are_named_and_none_is_written_down(values: dict[str, Any]) -> None:
    named = {str(value) for path, value in scalars(values) if path[-1].endswith("SecretName")} | {
        values["jwtSecretName"]
    }
    documented = (ROOT / "docs" / "scale.md").read_text()
    assert len(named) == 5 and all(f"secret generic {name} " in documented for name in named)
    secret = re.compile(r"(?i)(password|secretKey|fernetKey|jwtSecret|brokerUrl|connection)$|://[^/]*:[^/]*@")
    assert [path for path, value in scalars(values) if secret.search(path[-1]) or secret.search(str(value))] == []
    # Each comes with a well-known password.
    assert not any(values[part]["enabled"] for part in ("createUserJob", "postgresql", "redis"))


def test_nobody_is_root_and_everything_has_limits(values: dict[str, Any]) -> None:
    assert values["securityContexts"]["pod"]["runAsNonRoot"] is True
    assert values["securityContexts"]["containers"]["capabilities"] == {"drop": ["ALL"]}
    for name in PROCESSES:
        assert values[name]["resources"].keys() == {"requests", "limits"}, name
    assert values["workers"]["celery"]["resources"]["limits"].keys() == {"cpu", "memory"}


def test_who_calls_aws_has_the_role_of_the_template(values: dict[str, Any]) -> None:
    parts = [values["workers"]["celery"], values["triggerer"], values["apiServer"], values["dagProcessor"]]
    roles = {part["serviceAccount"]["annotations"]["eks.amazonaws.com/role-arn"] for part in parts}
    assert roles == {"arn:aws:iam::123456789012:role/reviews-airflow"}
    assert "RoleName: !Sub ${AWS::StackName}-airflow" in TEMPLATE.read_text()
    assert "serviceAccount" not in values["scheduler"]


def test_the_chart_takes_them(values: dict[str, Any], chart: Path) -> None:
    with tarfile.open(chart) as archive:
        file = archive.extractfile("airflow/values.schema.json")
        assert file is not None
        schema = json.load(file)
    jsonschema.validate(values, schema)
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.validate({**values, "scheduler": {"replica": 2}}, schema)


def test_every_container_that_the_chart_makes_is_limited_and_not_root(values: dict[str, Any], chart: Path) -> None:
    helm = pytest.importorskip("helm_python", reason="pip install helm-python-sdk, in an environment of its own")
    rendered = helm.Chart.load(str(chart)).render(values, name="reviews", namespace="reviews")
    manifests = [one for name, text in rendered.items() if name.endswith(".yaml") for one in yaml.safe_load_all(text)]
    pods = [one["spec"]["template"]["spec"] for one in manifests if one and "template" in one.get("spec", {})]
    assert len(pods) == 6 and not any(one and one["kind"] == "Secret" for one in manifests)
    for pod in pods:
        assert pod["securityContext"]["runAsUser"] == 50000
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["resources"]["limits"] and not container["securityContext"]["allowPrivilegeEscalation"]
