"""``python -m stack up | down | status | reset | demo | people | env | rehearse``: what ``make`` calls."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys

from rich.console import Console
from rich.markup import escape

from stack import health, processes, services
from stack.health import Condition
from stack.layout import Stack, StackError

console = Console(highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 where something went wrong that the person at the terminal can mend."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = {"up": _up, "down": _down, "status": _status, "reset": _reset, "demo": _demo}
    commands |= {"people": _people, "env": _env, "rehearse": _rehearse}
    parser.add_argument("command", choices=commands)
    parser.add_argument("--fast", action="store_true", help="demo: a few hundred reviews, one epoch")
    options = parser.parse_args(arguments)
    try:
        with processes.private():
            return commands[options.command](Stack.from_environment(), options)
    except StackError as error:
        console.print(f"[bold red]{escape(str(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. What was started keeps running: see make status, make down")
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
    parts = health.observe(stack)
    for name, part in parts.items():
        console.print(f"{name:<24}{part}")
    if parts[health.API_SERVER].condition is Condition.WELL:
        from stack.airflow_api import AirflowApi

        console.print(f"\nAirflow UI  {stack.airflow_url}   user admin, password {AirflowApi(stack).password}")
        console.print(f'localaws    {stack.localaws_url}   (shell: eval "$(make -s env)")')
    if parts["localaws"].condition is Condition.WELL and stack.console_url:
        # On one line however narrow the terminal is: the address has the token.
        console.print(f"Console     {stack.console_url}", soft_wrap=True)
    return 0 if all(part.condition is Condition.WELL for part in parts.values()) else 3


def _env(stack: Stack, _: argparse.Namespace) -> int:
    for key, value in stack.aws_environment().items():
        print(f"export {key}={value}")
    return 0


def _rehearse(stack: Stack, _: argparse.Namespace) -> int:
    from stack.rehearse import rehearse

    rehearse(stack.home / "rehearsal", stack.settings, console)
    return 0


def _demo(stack: Stack, options: argparse.Namespace) -> int:
    from stack.demo import FAST, demo

    if options.fast:
        stack = dataclasses.replace(stack, settings={**FAST, **stack.settings})
    # A second training takes as long as the first: where that is long, it is a command of its own.
    demo(stack, console, with_people=options.fast, timeout=_timeout())
    return 0


def _people(stack: Stack, _: argparse.Namespace) -> int:
    from stack.demo import label

    label(stack, console, timeout=_timeout())
    return 0


def _timeout() -> float:
    return float(os.environ.get("DEMO_TIMEOUT", "3600"))


if __name__ == "__main__":
    sys.exit(main())
