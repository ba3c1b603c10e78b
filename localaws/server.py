"""One process: opens the store, mounts moto, loads the services, answers until it is told to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import traceback
from pathlib import Path

from localaws import services
from localaws.application import Application
from localaws.context import Context
from localaws.credentials import load_or_create
from localaws.moto_bridge import Moto
from localaws.services.registry import ON_START, ON_STOP, Hook
from localaws.serving import HOST, Server
from localaws.store import Store

log = logging.getLogger("localaws")

#: how long a stop waits for requests in progress.
_GRACE_SECONDS = 5.0


def serve(home: Path, port: int) -> None:
    """
    Answer on ``127.0.0.1:port`` until SIGTERM or SIGINT.

    :param home: the folder of ``--home``; everything is kept under it.
    :param port: 0 takes a free one.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    folder = home / "localaws"
    folder.mkdir(parents=True, exist_ok=True)
    _log_to(folder / "server.log")
    credentials = load_or_create(home / "credentials")
    server = Server(port)
    url = f"http://{HOST}:{server.port}"
    region = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
    store = Store(folder / "state.db")
    context = Context(folder, url, region, store, credentials)
    services.load_all()
    moto = Moto(folder / "moto")
    moto.state.restore()
    moto.state.start()
    server.responder = Application(context, moto)
    answering = threading.Thread(target=server.serve_forever, name="accept", daemon=True)
    answering.start()
    _run(ON_START, context)
    _announce(folder / "server.json", {"port": server.port, "pid": os.getpid(), "url": url})
    log.info("answering on %s", url)
    stop.wait()
    log.info("stopping")
    _run(ON_STOP, context)
    server.shutdown()
    server.busy.wait(_GRACE_SECONDS)
    server.server_close()
    moto.state.stop()
    (folder / "server.json").unlink(missing_ok=True)
    store.close()


def _log_to(path: Path) -> None:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("botocore", "boto3", "urllib3", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _run(hooks: list[Hook], context: Context) -> None:
    """One service's failing hook must not keep the others from theirs."""
    for hook in hooks:
        try:
            hook(context)
        except Exception:
            log.error("%s.%s failed:\n%s", hook.__module__, hook.__qualname__, traceback.format_exc())


def _announce(path: Path, facts: dict[str, object]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts))
    part.replace(path)
