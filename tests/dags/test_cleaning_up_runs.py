"""`teardown` and `sweep_idle` by Airflow's rules and on a real localaws: what goes, what stays, and kills."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ab_kit import archive
from localaws_kit import start
from scheduling_kit import Run, load, make_database
from waiting_kit import until

CHAMPION = "sentiment"
ROW = b'{"features": ["a dress 1"]}'


class World:
    """Resources of runs, with the tags that the operators give."""

    def __init__(self, client: Any) -> None:
        from include.settings import settings

        self.settings = settings
        self.client = client
        self.s3, self.sagemaker, self.logs = client("s3"), client("sagemaker"), client("logs")
        self.s3.create_bucket(Bucket=settings.bucket)
        self.s3.put_object(Bucket=settings.bucket, Key="model.tar.gz", Body=archive())

    def tags(self, run: str, *, expires: timedelta | None = timedelta(days=1), dag: str = "train") -> Any:
        from amazon_ml.naming import RunKey, tags

        when = None if expires is None else datetime.now(UTC) + expires
        return tags(RunKey(dag, "task", -1, run), project=self.settings.project, expires=when)

    def model(self, name: str, tags: Any) -> str:
        container = {"Image": self.settings.inference_image, "ModelDataUrl": self.settings.uri("model.tar.gz")}
        role = self.settings.role_arn
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container, Tags=tags)
        return name

    def config(self, name: str, model: str, tags: Any) -> str:
        variant = {"VariantName": "AllTraffic", "ModelName": model, "InstanceType": "ml.m5.large"}
        variants = [{**variant, "InitialInstanceCount": 1}]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, Tags=tags)
        return name

    def endpoint(self, name: str, config: str, tags: Any) -> str:
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=tags)
        return name

    def served(self, name: str, tags: Any) -> str:
        """An endpoint with a configuration and a model of its own."""
        return self.endpoint(name, self.config(f"{name}-config", self.model(f"{name}-model", tags), tags), tags)

    def in_service(self, name: str) -> None:
        self.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})

    def job(self, name: str, tags: Any) -> str:
        """A processing job that runs until somebody stops it."""
        self.sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=self.settings.role_arn,
            AppSpecification={
                "ImageUri": self.settings.processing_image,
                "ContainerEntrypoint": ["python3", "-c", "import time; time.sleep(600)"],
            },
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            Tags=tags,
        )
        return name

    def there(self) -> dict[str, list[str]]:
        """Names of what serves, or could."""
        found = self.sagemaker
        return {
            "endpoints": sorted(each["EndpointName"] for each in found.list_endpoints()["Endpoints"]),
            "configs": sorted(each["EndpointConfigName"] for each in found.list_endpoint_configs()["EndpointConfigs"]),
            "models": sorted(each["ModelName"] for each in found.list_models()["Models"]),
        }

    def read(self, uri: str) -> Any:
        """A report, and its page."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        json_ = json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        page = self.s3.get_object(Bucket=bucket, Key=key.replace(".json", ".md"))["Body"].read().decode()
        return json_, page


@pytest.fixture(scope="module")
def world(airflow_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A localaws with the champion's endpoint; one of its two models is of another run than the endpoint."""
    from botocore import loaders, session

    server, loader = start(tmp_path_factory.mktemp("cleaning")), loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        for key, value in server.environment.items():
            patch.setenv(key, value)
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
        patch.setattr("boto3.DEFAULT_SESSION", None)
        patch.setattr(session, "create_loader", lambda *_: loader)
        patch.setattr("include.sweeping.carrying_out._PAUSE", 0.2)
        make_database(patch, tmp_path_factory.mktemp("airflow") / "airflow.db")
        try:
            found = World(server.client)
            model = found.model("champion-model", found.tags("r1"))
            config = found.config("champion-config", model, found.tags("r1"))
            found.endpoint(CHAMPION, config, found.tags("r0", expires=None))
            found.in_service(CHAMPION)
            yield found
        finally:
            server.stop()


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ends each try behind its first write that no try before has made; notes the writes."""
    from amazon_ml.exceptions import TaskKilled
    from amazon_ml.hooks.base import ServiceHook

    call, writes = ServiceHook._call, list[str]()

    def until_killed(self: ServiceHook, method: str, **request: Any) -> Any:
        answer = call(self, method, **request)
        write = f"{method} {next((value for key, value in request.items() if key.endswith('Name')), '')}"
        if method.startswith(("stop_", "delete_", "put_object")) and write not in writes:
            writes.append(write)
            raise TaskKilled(f"killed behind {write}")
        return answer

    monkeypatch.setattr(ServiceHook, "_call", until_killed)
    return writes


def run(dag_id: str, **conf: Any) -> tuple[Run, dict[str, str]]:
    """A whole run, and the states that it ended in."""
    begun = Run(load(dag_id), conf)
    return begun, begun.go_on()


CHAMPIONS = {"endpoints": [CHAMPION], "configs": ["champion-config"], "models": ["champion-model"]}


def test_a_run_is_torn_down_after_a_dry_run_though_each_write_is_followed_by_a_kill(
    world: World, kills: list[str]
) -> None:
    tags = world.tags("r1")
    world.in_service(world.served("trial", tags))
    world.job("endless", tags)
    world.model("other-model", world.tags("r2"))
    before = world.there()

    dry, states = run("teardown", run="r1")
    assert states == {"run": "success", "find": "success", "carry_out": "skipped"}
    assert world.there() == before
    found, page = world.read(dry.result("find")["report"])
    assert [(each["action"], each["name"]) for each in found["found"]] == [
        ("stop", "endless"),
        ("delete", "trial"),
        ("keep", "champion-config"),
        ("delete", "trial-config"),
        ("keep", "champion-model"),
        ("delete", "trial-model"),
    ]
    assert "| Model          | champion-model  | keep  | endpoint sentiment uses it | r1  |" in page

    done, states = run("teardown", run="r1", dry_run=False)
    assert states == {"run": "success", "find": "success", "carry_out": "success"}
    assert world.there() == {**CHAMPIONS, "models": ["champion-model", "other-model"]}
    assert {"delete_endpoint trial", "delete_model trial-model", "stop_processing_job endless"} < set(kills)
    outcomes = done.result("carry_out")
    assert outcomes.keys() <= {"deleted", "stopped", "was gone"} and sum(outcomes.values()) == 4
    status = lambda: world.sagemaker.describe_processing_job(ProcessingJobName="endless")["ProcessingJobStatus"]  # noqa: E731
    until(lambda: status() == "Stopped", what="the job is stopped", timeout=60)
    world.sagemaker.delete_model(ModelName="other-model")

    # Once more: nothing is left to do, and that is no error.
    again, states = run("teardown", run="r1", dry_run=False)
    assert states["run"] == "success" and again.result("carry_out") == {}
    assert world.there() == CHAMPIONS


def test_an_endpoint_that_is_to_stay_goes_where_it_is_asked_for(world: World) -> None:
    tags = world.tags("stay", expires=None, dag="lasting")
    world.served("lasting", tags)
    _, states = run("teardown", dag="lasting", tags="run=stay", dry_run=False)
    assert states["run"] == "success"
    assert "lasting" in world.there()["endpoints"]
    # It may still be in the making: it is deleted once it has settled.
    _, states = run("teardown", dag="lasting", durable=True, dry_run=False)
    assert states["run"] == "success"
    assert world.there() == CHAMPIONS


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"run": "never-was"}, "no resource has the tags project=sentiment and run=never-was; runs that have left"),
        ({}, "say what to tear down"),
        ({"tags": "team"}, "tags must be key=value"),
        ({"run": "r1", "tags": "run=r2"}, "tags ask for run=r1 and run=r2"),
        ({"run": "r1", "tags": "project=other"}, "tags ask for project=sentiment and project=other"),
    ],
)
def test_a_selection_of_nothing_fails_at_once_with_one_sentence(world: World, conf: dict[str, str], words: str) -> None:
    from include.sweeping.steps import find_selected

    given = {"run": "", "dag": "", "tags": "", "durable": False, **conf}
    with pytest.raises(ValueError, match=words):
        find_selected(given, "here")


def test_what_is_expired_goes_and_the_champion_stays(world: World) -> None:
    late = world.tags("late", expires=-timedelta(minutes=1))
    world.in_service(world.served("late", late))
    world.job("forgotten", late)
    world.sagemaker.add_tags(
        ResourceArn=world.sagemaker.describe_endpoint(EndpointName=CHAMPION)["EndpointArn"], Tags=late
    )
    before = world.there()

    reported, states = run("sweep_idle")
    assert states == {"run": "success", "find": "success", "carry_out": "skipped"}
    assert world.there() == before
    found, page = world.read(reported.result("find")["report"])
    assert {each["name"]: each["action"] for each in found["found"] if each["kind"] != "LogGroup"} == {
        "forgotten": "stop",
        "late": "delete",
        CHAMPION: "keep",
    }
    assert "and is protected" in page

    _, states = run("sweep_idle", delete=True, log_groups=True, retention_days=14)
    assert states["run"] == "success"
    assert world.there() == {
        **CHAMPIONS,
        "configs": ["champion-config", "late-config"],
        "models": ["champion-model", "late-model"],
    }
    groups = world.logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")["logGroups"]
    assert {group["retentionInDays"] for group in groups} == {14}
    # With the endpoint gone the next sweep takes what only it has used.
    _, states = run("sweep_idle", delete=True)
    assert states["run"] == "success"
    assert world.there() == CHAMPIONS


def test_invocations_are_counted_before_an_endpoint_is_called_idle(world: World) -> None:
    from amazon_ml.hooks.inventory import InventoryHook
    from include.sweeping.inventory import Inventory
    from include.sweeping.selection import Limits, sweep

    tags = world.tags("count", expires=None)
    world.in_service(world.served("counted", tags))
    runtime = world.client("sagemaker-runtime")
    for _ in range(3):
        runtime.invoke_endpoint(EndpointName="counted", Body=ROW, ContentType="application/jsonlines")

    def invocations(at: datetime) -> float | None:
        read = Inventory(InventoryHook(), world.settings.project).of_rules(Limits(idle_hours=1), at)
        return next(each.invocations for each in read if each.name == "counted")

    now = datetime.now(UTC)
    until(lambda: invocations(now) == 3, what="the invocations are counted", timeout=90)
    later = now + timedelta(hours=3)
    limits = Limits(idle_hours=1)
    assert invocations(later) == 0
    found = sweep(Inventory(InventoryHook(), world.settings.project).of_rules(limits, later), limits, later)
    assert "had no invocation for 1 h, and is protected" in {each.reason for each in found if each.name == "counted"}
