"""``python -m localaws serve | stop | status | reset``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from localaws.core import extras
from localaws.core import home as lifecycle
from localaws.core.home import Home, LifecycleError

DEFAULT_PORT = 4566
#: how long a job may take to end by itself before it is killed.
JOB_GRACE_SECONDS = 10.0


def main(argv: list[str] | None = None) -> int:
    """
    Run one command.

    :returns: the exit status: 0, or 1 where it could not be done (``status``: where nothing runs).
    """
    # Secrets and other people's data: nobody else on this machine may look, whatever the caller's umask.
    os.umask(0o077)
    arguments = _parser().parse_args(argv)
    home = Home(arguments.home.resolve())
    commands = {"serve": _serve, "stop": _stop, "status": _status, "reset": _reset}
    try:
        return commands[arguments.command](home, arguments)
    except LifecycleError as error:
        return _fail(error)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "localaws":
            raise
        return _fail(extras.missing(error.name, "server"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localaws", description="AWS on localhost that really does the work.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("serve", "answer until stopped"),
        ("stop", "end the server of this home"),
        ("status", "say whether it runs, and where"),
        ("reset", "end its jobs and throw its state away; the credentials stay"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--home", type=Path, default=Path(".local"), help="where everything is kept (.local)")
        if name == "stop":
            command.add_argument(
                "--jobs", action="store_true", help="end the running jobs too: they outlive the server"
            )
        if name == "serve":
            command.add_argument("--port", type=_port, default=DEFAULT_PORT, help="0 takes a free one (4566)")
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not a port")
    return number


def _serve(home: Home, arguments: argparse.Namespace) -> int:
    # Imported here: the other commands answer without loading botocore and moto.
    from localaws.core import clock
    from localaws.gateway.http_server import PortTaken
    from localaws.moto_bridge import StateError
    from localaws.server import serve

    try:
        clock.factor()
        serve(home, arguments.port)
    except PortTaken as error:
        return _fail(f"{error}: choose another with --port, or end what uses it")
    except (StateError, clock.ClockError) as error:
        return _fail(error)
    # All is closed and no thread is left. To take botocore's and moto's many objects apart one by one would only keep
    # whoever waits for the end of this process, for half a second.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _stop(home: Home, arguments: argparse.Namespace) -> int:
    pid = lifecycle.stop(home)
    print(f"stopped (pid {pid})" if pid else "not running")
    if arguments.jobs:
        _end_jobs(home)
    return 0


def _end_jobs(home: Home) -> None:
    from localaws.sagemaker.jobs import control

    for job in control.end_all(home.state, JOB_GRACE_SECONDS):
        print(f"ended {job}")


def _status(home: Home, _: argparse.Namespace) -> int:
    facts = lifecycle.status(home)
    if facts is None:
        print("not running")
        return 1
    print(f"{facts.get('url', 'starting')} (pid {facts['pid']})")
    if "url" in facts and (console := lifecycle.console_url(home)):
        print(f"console: {console}")
    return 0


def _reset(home: Home, _: argparse.Namespace) -> int:
    lifecycle.require_stopped(home)
    _end_jobs(home)
    print(f"removed {home.state}" if lifecycle.reset(home) else "nothing to remove")
    return 0


def _fail(reason: object) -> int:
    print(f"localaws: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
