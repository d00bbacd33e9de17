"""The options and the status of a client."""

import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from ._closing import Failure
from ._messages import Transport


@dataclass(frozen=True)
class Options:
    """The options of a client."""

    #: The transports that may be used, the best one first.
    transports: tuple[Transport, ...] = ("websocket", "sse", "poll")
    #: What the server does if this client is too slow.
    on_lag: Literal["catch_up", "close"] = "catch_up"
    #: Gives the secret of a key, or another token, of a server that asks for one; None for none. Called for each connection, and when
    #: the server says that the key ends soon.
    token: Callable[[], Awaitable[str | None]] | None = None
    #: The name of a traffic account of the server.
    account: str | None = None
    #: The time between two pings over a WebSocket.
    ping_s: float = 5.0
    #: A connection is given up after this many times the server's `heartbeat_ms` of silence.
    silence_heartbeats: float = 2.0
    #: How often a better transport is tried again while a worse one is in use.
    upgrade_s: float = 60.0
    #: How long a connection may take to be ready.
    connect_timeout_s: float = 10.0
    #: The messages that wait for the application. Beyond them the client reads no more, and the server soon regards it as slow.
    queue_max: int = 1_000
    #: Certificates for `https`; those of the system by default.
    tls: ssl.SSLContext | None = None
    #: From 0 up to 1.
    random: Callable[[], float] = random.random


@dataclass(frozen=True)
class Status:
    """The state of the connection. ``closed``: no attempt follows."""

    state: Literal["idle", "connecting", "live", "reconnecting", "closed"] = "idle"
    #: The one in use, or being tried.
    transport: Transport | None = None
    #: The delay before the next attempt; None during an attempt.
    retry_in_s: float | None = None
    #: Why the last connection has ended; None when live.
    failure: Failure | None = None
