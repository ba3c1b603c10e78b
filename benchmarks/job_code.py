"""The code of the jobs as their containers have it, for benchmarks that run a script without one."""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins"))

from include.job_code import write

_BUNDLES = tempfile.TemporaryDirectory(prefix="job-code-")


@functools.cache
def bundle(job: str) -> Path:
    """The folder with all that a job ships; its name is the job's."""
    return write(job, Path(_BUNDLES.name) / job).parent
