"""Finds a connection that is open and has heartbeats, but brings no events although there are some.

After a silence it compares the numbers of the last events with those of the server's snapshots.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from ._closing import Ended
from ._core import Core
from ._http import fetch_json
from ._messages import EVERY

_ANSWER_S = 5.0
#: How long an event may take that is in a snapshot already.
_GRACE_S = 2.0


class Scope(NamedTuple):
    """The topics of a connection; ``symbols`` may have ``"*"``."""

    symbols: list[str]
    has: Callable[[str, str], bool]


class Audit:
    """The silence of events of one connection."""

    def __init__(self, core: Core, tls: ssl.SSLContext | None, scope_of: Callable[[], Scope]) -> None:
        self._core = core
        self._tls = tls
        self._scope_of = scope_of
        self._quiet_since_s = time.monotonic()
        # Changes with each event, so that an answer from before it proves nothing.
        self._turn = 0
        self._task: asyncio.Task[bool] | None = None

    def hear(self) -> None:
        """Notes an event."""
        self._quiet_since_s = time.monotonic()
        self._turn += 1

    def is_behind(self, now_s: float, quiet_s: float) -> bool:
        """Returns whether events are missing. Asks the server after a silence; the answer is there at a later call."""
        if self._task is not None:
            if not self._task.done():
                return False
            task, self._task = self._task, None
            return not task.cancelled() and task.exception() is None and task.result()
        scope = self._scope_of()
        if now_s - self._quiet_since_s >= quiet_s and scope.symbols:
            self._quiet_since_s = now_s
            self._task = asyncio.create_task(self._compare(scope))
        return False

    async def _compare(self, scope: Scope) -> bool:
        turn, place = self._turn, self._core.place
        query = "" if EVERY in scope.symbols else "?" + urlencode({"symbols": ",".join(scope.symbols)})
        try:
            answer = await fetch_json(self._core.url_of(f"api/v1/snapshot{query}"), _ANSWER_S, self._tls, await self._core.token())
        except Ended:
            # Without an answer there is no proof.
            return False
        await asyncio.sleep(_GRACE_S)
        return turn == self._turn and answer["epoch"] == place.epoch and place.gate.behind(answer["snapshots"], scope.has)

    def stop(self) -> None:
        """Ends a question."""
        if self._task is not None:
            self._task.cancel()
