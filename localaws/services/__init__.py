"""The services that localaws owns whole, one AWS noun a file. Importing a module here registers its operations."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import localaws


def load_all() -> None:
    """Import every module of this package and every slice's ``api``, so that their operations are registered."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    root = Path(localaws.__path__[0])
    for path in sorted(root.rglob("api.py")):
        importlib.import_module(".".join(("localaws", *path.relative_to(root).with_suffix("").parts)))
