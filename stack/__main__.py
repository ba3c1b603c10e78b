"""``python -m stack up | down | status | reset | demo | env``: what ``make`` calls."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys

from rich.console import Console
from rich.markup import escape

from stack import services
from stack.layout import Stack, StackError

console = Console(highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 where something went wrong that the person at the terminal can mend."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = {"up": _up, "down": _down, "status": _status, "reset": _reset, "demo": _demo, "env": _env}
    parser.add_argument("command", choices=commands)
    parser.add_argument("--fast", action="store_true", help="demo: a few hundred reviews, one epoch")
    options = parser.parse_args(arguments)
    try:
        stack = Stack.from_environment()
        return commands[options.command](stack, options)
    except StackError as error:
        console.print(f"[bold red]{escape(str(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. What was started goes on: make status, make down")
        return 130


def _up(stack: Stack, _: argparse.Namespace) -> int:
    services.up(stack, console.print)
    return _status(stack, _)


def _down(stack: Stack, _: argparse.Namespace) -> int:
    services.down(stack, console.print)
    console.print("Nothing of the stack runs any more")
    return 0


def _reset(stack: Stack, _: argparse.Namespace) -> int:
    services.reset(stack, console.print)
    console.print("All data of the stack is removed")
    return 0


def _status(stack: Stack, _: argparse.Namespace) -> int:
    states = services.status(stack)
    for name, state in states.items():
        console.print(f"{name:<24}{state}")
    if services.airflow_running(stack):
        from stack.airflow_api import AirflowApi

        console.print(f"\nAirflow UI  {stack.airflow_url}   user admin, password {AirflowApi(stack).password}")
        console.print(f'localaws    {stack.localaws_url}   (shell: eval "$(make -s env)")')
    return 0 if all(state.startswith("running") for state in states.values()) else 3


def _env(stack: Stack, _: argparse.Namespace) -> int:
    for key, value in stack.aws_environment().items():
        print(f"export {key}={value}")
    return 0


def _demo(stack: Stack, options: argparse.Namespace) -> int:
    from stack.demo import FAST, demo

    if options.fast:
        stack = dataclasses.replace(stack, settings={**FAST, **stack.settings})
    demo(stack, console, timeout=float(os.environ.get("DEMO_TIMEOUT", "3600")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
