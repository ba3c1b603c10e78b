"""
The pytest plugin of an installed localaws: the fixture ``localaws``.

.. code-block:: python

    def test_upload(localaws):
        boto3.client("s3").create_bucket(Bucket="mine")
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from localaws.testing import LocalAws, start

_PYTHON = "localaws_python"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the setting of the interpreter."""
    parser.addini(_PYTHON, "interpreter of the environment that localaws and its jobs run in; by default pytest's own")


@pytest.fixture(scope="session")
def localaws(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """
    Start a localaws for the whole session, and point the AWS clients of this process and of its children at it alone.

    Its state lasts as long as the session: tests that must not meet use names of their own.
    """
    # As given: a virtual environment's interpreter is a link, and resolved it would be another one.
    python = str(pytestconfig.rootpath / (pytestconfig.getini(_PYTHON) or sys.executable))
    server = start(tmp_path_factory.mktemp("localaws"), python=python)
    try:
        with pytest.MonkeyPatch.context() as patch:
            # Keys, a profile or an endpoint of one service would come before what the server says.
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            for name, value in server.environment.items():
                patch.setenv(name, value)
            if "boto3" in sys.modules:
                # The default session keeps the keys that it has found before.
                patch.setattr("boto3.DEFAULT_SESSION", None)
            yield server
    finally:
        server.stop()
