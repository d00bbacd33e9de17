"""The end of a session: whether and when a client reconnects, and whether its cursor is still valid.

The table is that of docs/PROTOCOL.md, "The end of a session"; a test compares the two.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Cause = Literal["closed", "refused", "unreachable", "silent", "late", "buffered", "garbage", "hole", "asked", "token"]


@dataclass(frozen=True)
class Failure:
    """Why a connection has ended, or was not opened.

    ``closed``: with a close code, or with the ``goodbye`` of a stream. ``refused``: the handshake or the request was answered
    with an error status. ``unreachable``: no answer. ``silent``: nothing came for too long. ``late``: a request was not answered.
    ``buffered``: a proxy holds a stream back. ``garbage``: a message could not be read. ``hole``: events are missing that the
    server has not announced; they are fetched by reconnecting. ``asked``: the application has asked for a new connection.
    ``token``: the application has given no token, but an error.
    """

    cause: Cause
    code: int | None = None
    reason: str = ""
    status: int | None = None
    #: The delay that the server demands.
    retry_after_ms: float | None = None
    #: Whether the next transport may get through where this one did not.
    is_blocked: bool = False


class ClosedError(Exception):
    """The server has closed the connection, and would close the next one for the same reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"the connection has ended for good: {failure.code or failure.cause} {failure.reason}".rstrip())
        self.failure = failure


class Ended(Exception):
    """A connection has ended. Only within this package."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


class Advice(NamedTuple):
    reconnects: bool
    #: The least delay before the first attempt.
    delay_ms: float
    keeps_cursor: bool


#: The code for a connection that has ended without a close frame.
ABNORMAL = 1006
#: Codes from here on mean, where the table does not list them, that reconnecting is of no use.
_FINAL_FROM = 4_500
_NEVER = Advice(False, 0, False)
_FLOODED = Advice(True, 5_000, True)
_SOON = Advice(True, 500, True)
_ADVICE = {
    1000: Advice(True, 0, True),
    # The delay is in the `goodbye` before it.
    1001: Advice(True, 0, False),
    1002: _NEVER,
    1003: _NEVER,
    1006: _SOON,
    1007: _NEVER,
    1009: _NEVER,
    1013: _SOON,
    4000: _FLOODED,
    4001: _FLOODED,
    4002: _SOON,
    4003: _SOON,
    4004: _SOON,
    4005: _SOON,
    4006: _FLOODED,
    4007: _SOON,
    4401: _SOON,
    4403: _NEVER,
    4408: _SOON,
}
_CODES = {
    "shutdown": 1001,
    "hub_overrun": 1013,
    "unread_replies": 4002,
    "lagging": 4004,
    "key_changed": 4005,
    "ended_by_operator": 4006,
    "market_moved": 4007,
    "token_expired": 4401,
    "key_revoked": 4403,
    "replaced": 4501,
    "replay_ended": 1000,
    "replay_failed": 4503,
}


def advice_of(code: int) -> Advice:
    """Returns the advice for a close code."""
    return _ADVICE.get(code) or (_SOON if code < _FINAL_FROM else _NEVER)


def code_of(reason: str) -> int:
    """Returns the close code for the reason of a ``goodbye``; 1006 for one without a code, as ``full``."""
    return _CODES.get(reason, ABNORMAL)


class Backoff:
    """The delay before the next attempt: it doubles up to a bound, with jitter, so that clients do not reconnect all at once."""

    FIRST_MS = 500.0
    MOST_MS = 15_000.0
    #: The longest delay that a server may demand.
    TOLD_MOST_MS = 300_000.0

    def __init__(self, rand: Callable[[], float] = random.random) -> None:
        self._random = rand
        self._attempt = 0
        self._told_ms = 0.0

    def reset(self) -> None:
        """Starts again with the first delay."""
        self._attempt = 0

    def tell(self, delay_ms: float) -> None:
        """Takes the delay that the server demands: the next delay is at least as long."""
        self._told_ms = min(max(0.0, delay_ms), self.TOLD_MOST_MS)

    def next(self, least_ms: float = 0) -> float:
        """Returns the next delay: from half the bound of this attempt, or the demanded delay, by up to half the bound more."""
        told_ms, self._told_ms = self._told_ms, 0.0
        bound = max(min(self.FIRST_MS * float(1 << self._attempt), self.MOST_MS), 2 * least_ms)
        self._attempt = min(self._attempt + 1, 16)
        return max(bound / 2, told_ms) + bound / 2 * self._random()
