"""`ab_test` by Airflow's rules and on a real localaws: roll-back, approval, the shared endpoint, kills, another try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ab_kit import World, archive
from localaws_kit import start
from scheduling_kit import Run, load, make_database

OWN, SHARED = "sentiment-ab", "sentiment"
SHORT = {"load_minutes": 0.02, "metric_period": 2}
SHIFT = [f"shift_{percent}.{part}" for percent in (10, 50, 100) for part in ("weights", "ask", "check")]


@pytest.fixture(scope="module")
def world(airflow_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A localaws in which a minute takes two seconds, with an approved version."""
    from botocore import loaders, session

    server, loader = start(tmp_path_factory.mktemp("ab"), LOCALAWS_CLOCK_FACTOR="30"), loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        for key, value in server.environment.items():
            patch.setenv(key, value)
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
        patch.setattr("boto3.DEFAULT_SESSION", None)
        # Reading SageMaker's model for each client would take longer than all else.
        patch.setattr(session, "create_loader", lambda *_: loader)
        make_database(patch, tmp_path_factory.mktemp("airflow") / "airflow.db")
        try:
            found = World(server.client)
            found.register("one", archive())
            yield found
        finally:
            server.stop()


@pytest.fixture
def begin(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Begins a run on the default endpoint, with params that are not the defaults."""
    from amazon_ml.operators.processing import ProcessingJobOperator

    really = ProcessingJobOperator.execute
    monkeypatch.setattr(ProcessingJobOperator, "execute", lambda self, context: world.run_job(self, context, really))
    origin = {"synthetic": False, "table": {"sha256": "0" * 64, "rows": 150}, "labels": ""}
    world.poisoned, world.decisions, world.real, world.ran = set(), ["challenger"], set(), []

    def made(**conf: Any) -> Run:
        dag = load("ab_test")
        dag.get_task("find_reviews").python_callable = lambda *_: origin
        return Run(dag, {**SHORT, **conf})

    return made


def test_a_failed_check_gives_all_traffic_back_and_the_shift_can_be_taken_again(
    world: World, begin: Callable[..., Run]
) -> None:
    world.poisoned = {"health-2"}
    run = begin()
    states = run.go_on(until="settle")
    assert world.ran == ["features", "compile", "requests", "look_1.compare"], "the twin was not there"
    assert {name for name in SHIFT if states[name] == "success"} == set(SHIFT[:5])
    assert (states["shift_50.check"], states["roll_back"]) == ("failed", "success")
    assert {states[name] for name in ("winner", "remove_loser", "timeline")} == {"upstream_failed"}
    assert world.weights(OWN) == {"champion": 100.0, "challenger": 0.0}
    states = run.go_on()
    assert (states["run"], states["report_costs"]) == ("failed", "success"), "the report does not make the run green"
    lines = run.result("report_costs")["lines"]
    assert [(line["task"], line["what"].partition("of ")[2]) for line in lines] == [
        ("deploy", "ml.m5.large (hosting)"),
        ("deploy", "ml.m5.large (hosting)"),
    ]
    assert 0 < run.result("report_costs")["usd"] < 1
    assert world.left() == []

    world.poisoned = set()
    world.write_traffic()
    run.clear("shift_50.weights")
    states = run.go_on(until="remove_loser")
    assert (states["shift_100.check"], states["roll_back"]) == ("success", "skipped")
    assert run.result("shift_50.weights")["weights"] == {"champion": 50.0, "challenger": 50.0}
    assert run.result("winner")["name"] == "challenger"
    run.mark_failed()
    run.go_on()
    assert world.left() == []


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Exception], set[str]], list[str]]:
    """Ends tries with an exception behind the first request of their task that changes anything; notes the tasks."""
    from airflow.sdk import get_current_context

    from amazon_ml.hooks.base import ServiceHook

    call, killed = ServiceHook._call, list[str]()

    def set_up(error: type[Exception], tasks: set[str]) -> list[str]:
        def until_killed(self: ServiceHook, method: str, **request: Any) -> Any:
            answer = call(self, method, **request)
            task_id = get_current_context()["ti"].task_id
            reads = method.startswith(("describe_", "list_", "get_", "head_"))
            if not reads and task_id not in killed and (not tasks or task_id in tasks):
                killed.append(task_id)
                raise error(f"{task_id} was killed behind {method}")
            return answer

        monkeypatch.setattr(ServiceHook, "_call", until_killed)
        return killed

    return set_up


def test_an_endpoint_that_a_failed_deployment_has_begun_is_deleted(
    world: World, begin: Callable[..., Run], kill: Callable[..., list[str]]
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    assert kill(AirflowFailException, {"deploy"}) == []
    states = begin().go_on()
    assert (states["run"], states["deploy"], states["look_1.ask"]) == ("failed", "failed", "upstream_failed")
    assert {states[name] for name in ("settle", "stop_scaling", "delete_endpoint")} == {"success"}
    assert world.left() == []


def test_a_random_experiment_ends_as_it_should_though_each_task_is_killed_once(
    world: World, begin: Callable[..., Run], kill: Callable[..., list[str]]
) -> None:
    from amazon_ml.exceptions import TaskKilled

    world.real = {"requests", "compare"}
    world.register("weak", archive(wrong=2))
    killed = kill(TaskKilled, set())
    run = begin(design="random", challenger="last", health_requests=10)
    states = run.go_on()
    assert states["run"] == "success", states
    verdict = run.result("verdict")
    assert (verdict["decision"], verdict["difference_found"]) == ("challenger", True)
    drawn = {name: found["requests"] for name, found in verdict["variants"].items()}
    assert sum(drawn.values()) == verdict["reviews"] == 50 * verdict["look"]
    # Of 50 draws one variant has fewer than ten once in 200,000 experiments.
    assert min(drawn.values()) >= 10
    assert run.result("winner")["name"] == "challenger"
    writing = {"champion_model", "challenger_model", "deploy", *SHIFT, "remove_loser", "scale", "load", "metrics"}
    assert set(killed) >= {name for name in writing if not name.endswith("check")} | {"stop_scaling", "delete_endpoint"}
    assert world.left() == []


@pytest.fixture
def shared(world: World) -> str:
    """The newest approved version alone on the shared endpoint, as `train_sentiment` leaves it; the version."""
    champion = world.register("two", archive())
    world.serve(SHARED, champion)
    return champion


def test_a_person_s_answer_decides_and_no_answer_in_a_day_keeps_the_champion(
    world: World, begin: Callable[..., Run], shared: str
) -> None:
    run = begin(endpoint=SHARED, challenger="last", require_approval=True)
    assert run.go_on()["approve"] == "awaiting_input"
    chosen = run.result("rivals")
    assert (chosen["champion"], chosen["challenger"]) == (shared, world.versions[-2])
    for option, winner in ((None, "champion"), ("Approve", "challenger"), ("Reject", "champion")):
        run.answer("approve", option)
        states = run.go_on(until="remove_loser")
        assert run.result("winner")["name"] == winner
        assert {states[name] for name in SHIFT} == {"success" if option == "Approve" else "skipped"}
        assert world.weights(SHARED) == {name: 100.0 * (name == winner) for name in ("champion", "challenger")}
        if option != "Reject":
            run.clear("approve")
            assert run.go_on()["approve"] == "awaiting_input"
    states = run.go_on()
    assert states["run"] == "success", states
    assert {states[name] for name in ("stop_scaling", "delete_endpoint")} == {"skipped"}
    assert list(world.weights(SHARED)) == ["champion"]


def test_a_run_marked_failed_gives_the_shared_endpoint_back_and_its_looks_are_fair_again(
    world: World, begin: Callable[..., Run], shared: str
) -> None:
    run = begin(endpoint=SHARED, challenger="last")
    run.go_on(until="shift_50.ask")
    assert world.weights(SHARED) == {"champion": 50.0, "challenger": 50.0}
    run.mark_failed()
    assert run.go_on()["settle"] == "success"
    assert world.weights(SHARED) == {"champion": 100.0, "challenger": 0.0}

    run.clear("look_1.ask")
    assert run.go_on()["look_1.ask"] == "failed", "both variants are to be drawn equally often"
    run.clear("equal_weights")
    states = run.go_on(until="verdict")
    assert states["look_1.compare"] == "success", states
    assert world.weights(SHARED) == {"champion": 50.0, "challenger": 50.0}
    run.mark_failed()
    run.go_on()
    assert world.weights(SHARED) == {"champion": 100.0, "challenger": 0.0}
