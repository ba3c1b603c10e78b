"""A process's own /opt/ml, by namespaces and, where they are refused, by rewriting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting_kit import until

from localaws.sagemaker.jobs import sandbox

OPT_BEFORE = sorted(Path("/opt").iterdir())


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    sandbox._isolation.cache_clear()
    yield
    sandbox._isolation.cache_clear()


@pytest.fixture
def rewriting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_SANDBOX", "rewrite")


needs_namespaces = pytest.mark.skipif(not sandbox.isolated(), reason=f"{sandbox._isolation()[1]}")


def _run(root: Path, *argv: str, **options: object) -> str:
    launch = sandbox.launch(argv, {"PATH": os.environ["PATH"]}, ml_root=root, **options)  # type: ignore[arg-type]
    return subprocess.run(
        launch.argv, env=launch.environment, capture_output=True, text=True, check=True, timeout=30
    ).stdout


@needs_namespaces
def test_two_processes_at_once_each_see_their_own_opt_ml(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    script = "sleep 0.2; cat /opt/ml/who; echo written > /opt/ml/out"
    launches = [sandbox.launch(["sh", "-c", script], {}, ml_root=tmp_path / name) for name in ("one", "two")]
    running = [
        subprocess.Popen(launch.argv, env=launch.environment, stdout=subprocess.PIPE, text=True) for launch in launches
    ]
    assert [process.communicate(timeout=30)[0] for process in running] == ["one", "two"]
    assert (tmp_path / "one" / "out").read_text() == "written\n"


@needs_namespaces
def test_the_host_keeps_its_opt_and_the_process_sees_what_was_in_it(tmp_path: Path) -> None:
    inside = _run(tmp_path, "ls", "/opt").split()
    assert set(inside) == {path.name for path in OPT_BEFORE} | {"ml"}
    assert sorted(Path("/opt").iterdir()) == OPT_BEFORE


@needs_namespaces
def test_host_names_resolve_to_this_machine(tmp_path: Path) -> None:
    script = "import socket; print(socket.gethostbyname('algo-1'), socket.gethostbyname('algo-2'))"
    assert _run(tmp_path, sys.executable, "-c", script, hosts=["algo-1", "algo-2"]) == "127.0.0.1 127.0.0.1\n"


@needs_namespaces
def test_the_exit_code_is_the_process_s_own(tmp_path: Path) -> None:
    launch = sandbox.launch(["sh", "-c", "exit 7"], {}, ml_root=tmp_path)
    assert subprocess.run(launch.argv, env=launch.environment, check=False).returncode == 7
    launch = sandbox.launch(["sh", "-c", "kill -9 $$"], {}, ml_root=tmp_path)
    assert subprocess.run(launch.argv, env=launch.environment, check=False, stderr=subprocess.DEVNULL).returncode == 137


@needs_namespaces
def test_killing_it_kills_a_descendant_that_left_its_session(tmp_path: Path) -> None:
    mark = f"{time.time():.7f}"[-9:].replace(".", "1")
    launch = sandbox.launch(["sh", "-c", f"setsid sleep {mark} & wait"], {}, ml_root=tmp_path)
    process = subprocess.Popen(launch.argv, env=launch.environment, start_new_session=True)
    until(lambda: _sleeping(mark), timeout=20)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    until(lambda: not _sleeping(mark), timeout=20, what="the descendant ends")


def _sleeping(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == f"sleep\0{mark}\0".encode():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


@needs_namespaces
def test_a_program_of_its_own_dies_of_sigterm(tmp_path: Path) -> None:
    launch = sandbox.launch(["sleep", "60"], {}, ml_root=tmp_path)
    process = subprocess.Popen(launch.argv, env=launch.environment, start_new_session=True, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(10) == 143


@pytest.mark.usefixtures("rewriting")
def test_where_namespaces_are_refused_paths_are_rewritten_and_the_note_says_so(tmp_path: Path) -> None:
    (tmp_path / "processing").mkdir()
    (tmp_path / "who").write_text("me")
    launch = sandbox.launch(
        ["cat", "--", "/opt/ml/who"], {"SM_MODEL_DIR": "/opt/ml/model"}, ml_root=tmp_path, cwd="/opt/ml/processing"
    )
    assert (
        subprocess.run(launch.argv, env=launch.environment, capture_output=True, text=True, check=True).stdout == "me"
    )
    assert launch.environment == {"SM_MODEL_DIR": f"{tmp_path}/model"}
    assert str(tmp_path) in launch.note
    assert "LOCALAWS_SANDBOX=rewrite" in launch.note


@pytest.mark.usefixtures("rewriting")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/ml/model", "{}/model"),
        ("--data=/opt/ml", "--data={}"),
        ("file:///opt/ml/model", "file://{}/model"),
        ('"/opt/ml/a:/opt/ml/b"', '"{}/a:/opt/ml/b"'),
        ("/opt/mlflow", "/opt/mlflow"),
        ("/opt/ml-tools", "/opt/ml-tools"),
        ("s3://bucket/opt/ml/x", "s3://bucket/opt/ml/x"),
        ("/srv/opt/ml", "/srv/opt/ml"),
    ],
)
def test_only_opt_ml_as_a_path_is_rewritten(tmp_path: Path, text: str, expected: str) -> None:
    assert sandbox.rewrite(text, tmp_path) == expected.format(tmp_path)


@pytest.mark.usefixtures("rewriting")
def test_scripts_and_settings_are_rewritten_and_data_is_not(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("open('/opt/ml/processing/output/x')")
    (tmp_path / "data.csv").write_text("/opt/ml/processing")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n'/opt/ml/model'")
    sandbox.rewrite_sources(tmp_path, tmp_path)
    assert (tmp_path / "run.py").read_text() == f"open('{tmp_path}/processing/output/x')"
    assert (tmp_path / "data.csv").read_text() == "/opt/ml/processing"
    assert (tmp_path / "latin.py").read_bytes() == f"'{tmp_path}/model'".join(["# \xe9\n", ""]).encode("latin-1")


@needs_namespaces
def test_with_namespaces_nothing_is_rewritten(tmp_path: Path) -> None:
    assert sandbox.rewrite("/opt/ml/model", tmp_path) == "/opt/ml/model"
    assert sandbox.launch(["true"], {}, ml_root=tmp_path).note == ""
