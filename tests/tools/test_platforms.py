"""What the table of platforms makes of uv's answers; `python -m tools.platforms` asks uv and a package index."""

from __future__ import annotations

import pytest

from tools import platforms

REFUSED = """\
error: No solution found when resolving dependencies
  cause: Because torch==2.13.0 has no wheels with a matching platform tag (e.g., `macosx_13_0_arm64`) and you require \
torch==2.13.0, we can conclude that your requirements are unsatisfiable.

hint: Wheels are available for `torch` (v2.13.0) on the following platforms: `manylinux_2_28_aarch64`
"""


def test_pins_are_read_with_extras_and_markers_and_in_one_spelling() -> None:
    text = "# a comment\nmoto[server]==5.2.5\nPyYAML_ft==8.0.0 ; python_version >= '3.13'\n-r other.txt\nno-pin\n"
    assert platforms.read_pins(text) == {"moto": "5.2.5", "pyyaml-ft": "8.0.0"}


def test_the_reason_names_the_pin_without_a_wheel() -> None:
    assert platforms.reason(REFUSED) == (
        "Because torch==2.13.0 has no wheels with a matching platform tag (e.g., `macosx_13_0_arm64`) and you require "
        "torch==2.13.0"
    )


def test_another_failure_is_told_by_its_last_line() -> None:
    assert platforms.reason("warning: slow\nerror: the index did not answer\n") == "error: the index did not answer"


def test_packages_of_cuda_and_those_without_a_pin_are_told() -> None:
    found = platforms.Answer({"torch": "2", "nvidia-nccl-cu13": "2", "triton": "3", "grimp": "3"})
    assert platforms.cell(found, {"torch": "2"}) == "2; 2 of CUDA; without a pin: grimp"
    assert platforms.cell(platforms.Answer({}, "Because"), {}) == "no: Because"


def test_what_make_installs_is_what_is_resolved() -> None:
    makefile = (platforms.ROOT / "Makefile").read_text()
    for requirements, constraints in platforms.ENVIRONMENTS.values():
        assert f"{' '.join(f'-r {name}' for name in requirements)} -c {constraints}\n" in makefile


def test_without_uv_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert platforms.main([]) == 2
    assert "pip install uv" in capsys.readouterr().err
