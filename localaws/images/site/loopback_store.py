"""PyTorch's rendezvous store on one address; see :mod:`sitecustomize`, beside this file."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def listening_on(host: str, port: int) -> tuple[int, int]:
    """Return descriptor and port of a socket that listens on the address of one host alone."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    bound = int(listener.getsockname()[1])
    return listener.detach(), bound


def on_one_address(store: type[Any]) -> type[Any]:
    """Return a ``TCPStore`` whose server listens on the address of its host alone."""

    class TCPStore(store):  # type: ignore[misc]
        __doc__ = store.__doc__

        def __init__(
            self, host_name: str, port: int, world_size: Any = None, is_master: bool = False, *args: Any, **more: Any
        ) -> None:
            # Positional after is_master: timeout, wait_for_workers, multi_tenant, master_listen_fd, use_libuv.
            if is_master and len(args) < 4 and more.get("master_listen_fd") is None:
                try:
                    more["master_listen_fd"], port = listening_on(host_name, port)
                except OSError as error:
                    # PyTorch finds the same: it takes the server of an earlier store that shares it, or raises its own.
                    if error.errno != errno.EADDRINUSE:
                        raise
            super().__init__(host_name, port, world_size, is_master, *args, **more)

    return TCPStore


def patched(init: Callable[[], bool]) -> Callable[[], bool]:
    """Return what makes PyTorch's own module, and then exchanges the store in it, before anybody has imported it."""

    def wrapped() -> bool:
        done = init()
        own = sys.modules.get("torch._C._distributed_c10d")
        if own is not None:
            own.TCPStore = on_one_address(own.TCPStore)  # type: ignore[attr-defined]
        return done

    return wrapped


class Loader:
    """Loads ``torch.distributed`` as its own loader does, after the store is exchanged."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> ModuleType | None:
        """As the package's own loader."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Exchange the store, then run the package."""
        native: Any = sys.modules["torch._C"]
        if hasattr(native, "_c10d_init"):
            native._c10d_init = patched(native._c10d_init)
        self._loader.exec_module(module)
