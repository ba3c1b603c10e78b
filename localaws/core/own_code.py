"""Where localaws is imported from: a checkout, or the interpreter's own packages."""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
from pathlib import Path

import localaws

#: the folder that has the package ``localaws`` in it.
ROOT = Path(localaws.__file__).parent.parent


@functools.cache
def installed() -> bool:
    """Return whether localaws lies among the interpreter's packages, which its other packages need too."""
    own = [*map(sysconfig.get_path, ("purelib", "platlib")), *site.getsitepackages(), site.getusersitepackages()]
    return os.path.realpath(ROOT) in {os.path.realpath(folder) for folder in own}


def is_the_interpreters(path: Path) -> bool:
    """Return whether an installed localaws and its interpreter need a folder to import anything at all."""
    return installed() and (path == ROOT or path.is_relative_to(sys.prefix))
