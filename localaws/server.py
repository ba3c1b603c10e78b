"""One process: opens the store, mounts moto, loads the services, answers until it is told to stop."""

from __future__ import annotations

import faulthandler
import json
import logging
import logging.handlers
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from localaws.core import home as lifecycle
from localaws.core import operations, reconciler
from localaws.core.context import Context
from localaws.core.credentials import load_or_create
from localaws.core.home import Home
from localaws.core.operations import ON_START, ON_STOP, Hook
from localaws.core.store import Store
from localaws.gateway import router
from localaws.gateway.app import Application
from localaws.gateway.http_server import HOST, Server
from localaws.gateway.log_lines import LineFormatter
from localaws.moto_bridge import Moto

log = logging.getLogger("localaws")

#: how long a stop waits for requests in progress.
_GRACE_SECONDS = 5.0
#: a hook that takes longer than this keeps everybody waiting, and is named in the log.
_SLOW_HOOK_SECONDS = 2.0
#: the log is cut into a few files of this size: a poller's requests must not fill the disk.
_LOG_BYTES = 20 * 1024**2


def serve(home: Home, port: int) -> None:
    """
    Answer on ``127.0.0.1:port`` until SIGTERM or SIGINT.

    :param port: 0 takes a free one.
    :raises LifecycleError: another server runs for this home.
    :raises PortTaken: another program has the port.
    :raises StateError: moto's saved state cannot be used.
    """
    with ExitStack() as closing:
        wait_for_stop = closing.enter_context(_stop_signals())
        closing.enter_context(lifecycle.acquire(home))
        home.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Secrets and other people's data are in there: nobody else on this machine may look.
        home.state.chmod(0o700)
        home.facts.unlink(missing_ok=True)
        _log_to_file(home)
        closing.enter_context(_telling_stacks(home))
        context = closing.enter_context(_answering(home, port))
        _run(ON_START, context)
        reconciler.start(context)
        _announce(home, context.endpoint_url)
        closing.callback(home.facts.unlink, missing_ok=True)
        log.info("answering on %s", context.endpoint_url)
        wait_for_stop()
        log.info("stopping")
        reconciler.stop()
        # The hooks still reach S3, Logs and all else over HTTP.
        _run(ON_STOP, context)
    log.info("stopped")


@contextmanager
def _stop_signals() -> Iterator[Callable[[], object]]:
    """
    From here on SIGTERM and SIGINT end nothing; what is given waits for one, also one that came before.

    A byte in a socket, whichever thread the kernel gives the signal to. A handler that sets an Event could meet this
    thread while that waits with the Event's lock in hand, and then neither goes on.
    """
    waiting, told = socket.socketpair()
    with waiting, told:
        told.setblocking(False)
        signal.set_wakeup_fd(told.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        try:
            yield partial(waiting.recv, 1)
        finally:
            signal.set_wakeup_fd(-1)


@contextmanager
def _answering(home: Home, port: int) -> Iterator[Context]:
    """Everything is open, and requests are answered, until this ends."""
    store = Store(home.state / "state.db")
    moto = Moto(home.state / "moto")
    with Server(port, home.state / "spool") as server:
        url = f"http://{HOST}:{server.port}"
        region = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
        context = Context(home.state, url, region, store, load_or_create(home.path / "credentials"))
        operations.load_all()
        moto.state.restore()
        # Every job and every client asks S3 first, often several at a time.
        router.prepare("s3")
        moto.prepare("s3")
        server.responder = Application(context, moto)
        server.start()
        try:
            yield context
        finally:
            if not server.stop(_GRACE_SECONDS):
                log.warning("requests in progress were cut off")
            moto.state.stop()
            store.close()


@contextmanager
def _telling_stacks(home: Home) -> Iterator[None]:
    """SIGUSR1 appends what every thread is at to ``stacks.log``, even when none of them makes progress."""
    with open(home.stacks, "a") as file:
        faulthandler.register(signal.SIGUSR1, file)
        try:
            yield
        finally:
            faulthandler.unregister(signal.SIGUSR1)


def _log_to_file(home: Home) -> None:
    handler = logging.handlers.RotatingFileHandler(home.state / "server.log", maxBytes=_LOG_BYTES, backupCount=2)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("botocore", "boto3", "urllib3", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _run(hooks: list[Hook], context: Context) -> None:
    for hook in hooks:
        name = f"{hook.__module__}.{hook.__qualname__}"
        started = time.monotonic()
        try:
            hook(context)
        except Exception:
            # One service's failing hook must not keep the others from theirs.
            log.exception("%s failed", name)
        seconds = time.monotonic() - started
        if seconds > _SLOW_HOOK_SECONDS:
            log.warning("%s took %.1f s", name, seconds)


def _announce(home: Home, url: str) -> None:
    facts = {"port": int(url.rpartition(":")[2]), "pid": os.getpid(), "url": url}
    part = home.facts.with_suffix(".part")
    part.write_text(json.dumps(facts))
    part.replace(home.facts)
