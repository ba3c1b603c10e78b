"""The services that localaws owns whole, one AWS noun a file. Importing a module here registers its operations."""

from __future__ import annotations

import importlib
import pkgutil


def load_all() -> None:
    """Import every module of this package, so that each one's operations stand in the registry."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
