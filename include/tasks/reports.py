"""The reports that jobs leave in S3, for a task's log."""

from __future__ import annotations


def show(uri: str) -> str:
    """
    Print a report in Markdown, and return its text.

    :param uri: S3 URI of the object.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    text = str(S3Hook().read_key(uri))
    # A line each, or the log would show the table as one long line.
    for line in text.splitlines():
        print(line)
    return text
