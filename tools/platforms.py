"""
Resolve the pins to wheels alone, for other platforms too: ``python -m tools.platforms``, with uv on PATH.

uv, and not pip's dry run: with ``--platform`` pip takes the wheels of that platform, but reads markers such as
``platform_system == "Linux"`` for the machine that it runs on. The table goes to ``benchmarks/results/platforms.md``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "platforms.md"
#: as `make` installs them: environment -> requirement files and constraints.
ENVIRONMENTS = {
    "Airflow": (("requirements.txt", "requirements-dev.txt"), "constraints-airflow.txt"),
    "localaws and jobs": (("requirements-local.txt", "requirements-dev.txt"), "constraints-local.txt"),
}
# PyTorch 2.13 has wheels for glibc 2.28 and macOS 14; soupsieve 4.1.2, of the Amazon provider, wants Python 3.11.5.
PLATFORMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS 14, arm64": "aarch64-apple-darwin",
}
PYTHONS = ("3.11.5", "3.12", "3.13")
MACOS = "14.0"
#: what PyPI's build of PyTorch brings on Linux, and the CPU build does not.
CUDA = re.compile(r"nvidia-|cuda-|triton$")
SECONDS = 300


@dataclass(frozen=True)
class Answer:
    """
    What uv found for one environment on one platform.

    :param packages: distribution -> version; empty where there is no solution.
    :param why: uv's first reason where there is none.
    """

    packages: dict[str, str]
    why: str = ""


def read_pins(text: str) -> dict[str, str]:
    """Return distribution -> version of the lines ``name[extra]==version ; marker``."""
    found = re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def reason(error: str) -> str:
    """Return the first reason of uv's explanation, in one line."""
    line = next((line for line in error.splitlines() if "Because" in line), error.strip().splitlines()[-1])
    return re.split(r", we can conclude|\bcause: ", line)[-2 if ", we can conclude" in line else -1].strip()


def resolve(environment: str, platform: str, python: str) -> Answer:
    """Ask uv. :raises subprocess.TimeoutExpired: it had no answer in time."""
    requirements, constraints = ENVIRONMENTS[environment]
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
    command += ["--python-version", python, "--python-platform", PLATFORMS[platform], "-c", constraints, *requirements]
    settings = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": MACOS}
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=SECONDS, check=False)
    return Answer(read_pins(done.stdout)) if done.returncode == 0 else Answer({}, reason(done.stderr))


def cell(answer: Answer, pinned: dict[str, str]) -> str:
    """Return what the table says of an answer: how many packages, of which some are CUDA's or have no pin."""
    if answer.why:
        return f"no: {answer.why}"
    cuda = [name for name in answer.packages if CUDA.match(name)]
    loose = sorted(answer.packages.keys() - pinned.keys() - set(cuda))
    parts = [str(len(answer.packages) - len(cuda))]
    parts += [f"{len(cuda)} of CUDA"] if cuda else []
    parts += [f"without a pin: {', '.join(loose)}"] if loose else []
    return "; ".join(parts)


def table() -> tuple[str, bool]:
    """Return the table in Markdown, and whether all pins resolve everywhere."""
    lines = ["| environment | platform | " + " | ".join(f"CPython {python}" for python in PYTHONS) + " |"]
    lines.append("|---|---|" + "---|" * len(PYTHONS))
    good = True
    for environment, (requirements, constraints) in ENVIRONMENTS.items():
        pinned = read_pins("\n".join((ROOT / name).read_text() for name in (*requirements, constraints)))
        for platform in PLATFORMS:
            answers = [resolve(environment, platform, python) for python in PYTHONS]
            good = good and not any(answer.why for answer in answers)
            lines.append(f"| {environment} | {platform} | " + " | ".join(cell(one, pinned) for one in answers) + " |")
    return "\n".join(lines), good


def main(arguments: list[str]) -> int:
    """Write the table; return 1 if the pins of an environment do not resolve somewhere."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    if not shutil.which("uv"):
        print("uv is not on PATH: pip install uv", file=sys.stderr)
        return 2
    text, good = table()
    head = (
        "# Platforms that the pins have wheels for\n\n"
        f"`python -m tools.platforms`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}: distributions to install, "
        "all of them as wheels.\n\n"
    )
    RESULTS.write_text(f"{head}{text}\n")
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
