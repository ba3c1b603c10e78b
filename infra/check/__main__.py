"""The command: ``python -m infra.check``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from infra.check import account, images, permissions, quotas, role, storage
from infra.check.findings import MISSING, OK, UNKNOWN, BadCredentials, Finding, guarded, missing


def findings(session: Any, caller: str = "") -> Iterator[Finding]:
    """
    Yield what is there and what is missing, in the order in which it is set up.

    :param session: boto3's.
    :param caller: ARN of the user or role whose permissions are checked instead of the caller's.
    """
    region, found = account.check_region(session)
    yield from found
    if not region:
        return
    try:
        settings = importlib.import_module("include.settings").settings
    except ValueError as error:
        yield missing("settings", str(error), "")
        return
    asked = account.Account(session, region)
    try:
        known = account.identify(asked)
        yield known
        if known.status == OK:
            yield from _checks(asked, settings, caller)
    except BadCredentials as error:
        yield account.refused(error)


def _checks(asked: account.Account, settings: Any, caller: str) -> Iterator[Finding]:
    checks = {
        "permissions": partial(permissions.check_caller, asked, settings, caller),
        "execution role": partial(role.check, asked, settings),
        "permissions of the execution role": partial(permissions.check_role, asked, settings),
        "bucket": partial(storage.check_bucket, asked, settings),
        "Glue database": partial(storage.check_database, asked, settings),
        "Athena work group": partial(storage.check_work_group, asked, settings),
        "quotas": partial(quotas.check, asked, settings),
        "images": partial(images.check, asked),
    }
    for what, check in checks.items():
        yield from guarded(what, check)


def main() -> None:
    """Run the command."""
    import boto3
    from botocore.exceptions import BotoCoreError

    parser = argparse.ArgumentParser(prog="python -m infra.check", description="Check an AWS account for the DAGs.")
    parser.add_argument("--caller", default="", metavar="ARN", help="user or role that Airflow will run as")
    arguments = parser.parse_args()
    counts = dict.fromkeys((OK, MISSING, UNKNOWN), 0)
    known = False
    try:
        session = boto3.Session()
    except BotoCoreError as error:
        # A profile that is not there, or a broken configuration file.
        remedy = "Set AWS_PROFILE to one that `aws configure list-profiles` has"
        sys.exit(str(missing("credentials", str(error), remedy)))
    for finding in findings(session, arguments.caller):
        print(finding, flush=True)
        counts[finding.status] += 1
        known |= finding.what == "credentials" and finding.status == OK
    print(", ".join(f"{count} {status}" for status, count in counts.items()))
    # Nothing was checked of an account that did not answer.
    sys.exit(0 if known and not counts[MISSING] else 1)


if __name__ == "__main__":
    main()
