"""Runs an application on an address until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from rl_tuner.common.errors import UserError


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Args:
        host: name or number of an address of this machine.
        port: number of the port; 0 takes any free one.

    Raises:
        UserError: the address is taken, or not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UserError(f"--host={host} is not an address ({error.strerror})") from error
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise UserError(
            f"{host}:{port} cannot be used ({error.strerror}); choose another --port, or 0 for any"
        ) from error
    return listening


def address_of(listening: socket.socket, host: str) -> str:
    """Return the address of a bound socket as a browser on this machine reads it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{listening.getsockname()[1]}"


def serve(
    app: ASGIApp, listening: socket.socket, started: Callable[[], None] = lambda: None
) -> None:
    """Answer requests until an interrupt.

    Args:
        app: the application.
        listening: a bound socket.
        started: called just before the first request is answered.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        # Links are secrets: they are in no log.
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    listening.listen(2_048)
    started()
    uvicorn.Server(config).run(sockets=[listening])
