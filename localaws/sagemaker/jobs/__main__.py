"""``python -m localaws.sagemaker.jobs end --home DIR``: end all jobs of a home, as ``make down`` wants it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from localaws.sagemaker.jobs.control import end_all


def main() -> None:
    """End all running jobs, and print their names."""
    os.umask(0o077)
    parser = argparse.ArgumentParser(prog="localaws.sagemaker.jobs", description="The running jobs of a localaws.")
    commands = parser.add_subparsers(dest="command", required=True)
    end = commands.add_parser("end", help="stop all jobs, and wait for their end")
    end.add_argument("--home", type=Path, default=Path(".local"), help="the folder given to `localaws serve`")
    end.add_argument("--grace", type=float, default=10, help="seconds until what still runs is killed")
    arguments = parser.parse_args()
    for name in end_all(arguments.home.resolve() / "localaws", arguments.grace):
        print(f"ended {name}")


if __name__ == "__main__":
    main()
