"""Endpoints across the ends of the server: an orderly stop, kill -9, and in the midst of a change."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psutil
import pytest
from endpoint_kit import MULTIPLIER, Hosting
from waiting_kit import until

SLOW_START = MULTIPLIER.replace('print("factor"', 'time.sleep(2)\n    print("factor"')


def model_servers(server: Any) -> list[int]:
    """The model servers of one localaws, by the mark that they carry."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "localaws.images.serving" in (process.info["cmdline"] or []):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if process.environ().get("LOCALAWS_HOME") == str(server.home / "localaws"):
                    found.append(process.pid)
    return found


def test_a_stop_leaves_no_process_and_a_start_serves_again(own_localaws: Any) -> None:
    hosting = Hosting()
    model = hosting.model(3)
    config = hosting.config(model, count=2)
    endpoint = hosting.create(config)
    hosting.settled(endpoint)
    first = hosting.invoke(endpoint, 1)
    # What serves needs neither of them, and goes on without.
    hosting.sagemaker.delete_model(ModelName=model)
    hosting.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    unfinished = hosting.create(hosting.config(hosting.model(5, code=SLOW_START)))
    until(lambda: len(list((own_localaws.home / "localaws" / "endpoints").glob("*/*/*/i-*/process.json"))) == 3)
    own_localaws.stop()
    assert model_servers(own_localaws) == []
    own_localaws.restart()
    # The first request waits for its model.
    again = hosting.invoke(endpoint, 1)
    assert (again["product"], again["process"] != first["process"]) == (3, True)
    description = hosting.settled(endpoint)
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", config)
    description = hosting.settled(unfinished)
    assert description["EndpointStatus"] == "InService", description["FailureReason"]
    assert hosting.invoke(unfinished, 1)["product"] == 5


def test_a_killed_server_finds_its_model_servers_again(own_localaws: Any) -> None:
    hosting = Hosting()
    endpoint = hosting.serve(hosting.model(3), hosting.model(4), weights=(1, 1))
    # Chance chooses the variant: 40 draws leave one of two out once in 10^12.
    before = {hosting.invoke(endpoint, 1)["process"] for _ in range(40)}
    assert len(before) == 2
    processes = model_servers(own_localaws)
    own_localaws.kill()
    own_localaws.restart()
    assert {Hosting().invoke(endpoint, 1)["process"] for _ in range(40)} == before
    assert model_servers(own_localaws) == processes
    # And it keeps them: a crash is repaired as ever.
    with pytest.raises(hosting.runtime.exceptions.ModelError):
        hosting.invoke(endpoint, "crash")
    answers = [hosting.invoke(endpoint, 1) for _ in range(40)]
    assert len({answer["process"] for answer in answers} - before) == 1
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)
    assert model_servers(own_localaws) == []


def test_a_server_killed_in_a_creation_and_an_update_goes_on_with_them(own_localaws: Any) -> None:
    hosting = Hosting()
    endpoint = hosting.serve(hosting.model(1))
    config = hosting.config(hosting.model(2, code=SLOW_START))
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    unfinished = hosting.create(hosting.config(hosting.model(5, code=SLOW_START)))
    folder = own_localaws.home / "localaws" / "endpoints"
    until(lambda: len(list(folder.glob("*/*/*/i-*/process.json"))) == 3)
    before = set(model_servers(own_localaws))
    own_localaws.kill()
    own_localaws.restart()
    # The old one serves until the new one does.
    assert hosting.invoke(endpoint, 1)["product"] == 1
    description = hosting.settled(endpoint)
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", config)
    assert hosting.invoke(endpoint, 1)["product"] == 2
    description = hosting.settled(unfinished)
    assert description["EndpointStatus"] == "InService", description["FailureReason"]
    assert hosting.invoke(unfinished, 1)["product"] == 5
    # Nothing is left of the three that the killed server had.
    assert not before & set(model_servers(own_localaws))
    assert len(list(folder.glob("*/*/*/i-*"))) == 2


@pytest.fixture
def without_namespaces(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    monkeypatch.setenv("LOCALAWS_SANDBOX", "rewrite")
    return request.getfixturevalue("own_localaws")


def test_where_namespaces_are_refused_paths_are_rewritten(without_namespaces: Any) -> None:
    code = MULTIPLIER.replace("os.path.join(model_dir, ", "os.path.join('/opt/ml/model', ")
    hosting = Hosting()
    model = hosting.model(8, code=code)
    endpoint = hosting.serve(model, count=2)
    assert {hosting.invoke(endpoint, 1)["product"] for _ in range(4)} == {8}
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)
    assert model_servers(without_namespaces) == []
