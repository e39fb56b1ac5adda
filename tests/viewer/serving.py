"""ASGI applications on real sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.peers import free_port, wait_until

__all__ = ["serving"]


@contextmanager
def serving(app: Any) -> Iterator[int]:
    """Serve an application from a thread and return its loopback port."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, access_log=False, log_level="critical")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until("the application to listen", lambda: server.started)
        yield port
    finally:
        server.should_exit = True
        thread.join(10)
