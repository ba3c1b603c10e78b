"""``python -m localaws serve | stop | status | reset``."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="localaws", description="AWS on localhost that really does the work.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="answer until stopped")
    serve.add_argument("--home", type=Path, default=Path(".local"), help="where everything is kept")
    serve.add_argument("--port", type=int, default=4566, help="0 takes a free one")
    arguments = parser.parse_args()
    from localaws.server import serve as run

    run(arguments.home.resolve(), arguments.port)


if __name__ == "__main__":
    main()
