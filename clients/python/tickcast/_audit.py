"""Finds a connection that is open and answers pings, but brings no events although there are some.

After a silence it compares the numbers of the last events with those of the server's snapshots.
"""

import asyncio
import ssl
import time
from urllib.parse import urlencode

from ._core import Core
from ._http import RequestError, fetch_json
from ._messages import EVERY

_ANSWER_S = 5.0
#: How long an event may take that is in a snapshot already.
_GRACE_S = 2.0


class Audit:
    def __init__(self, core: Core, tls: ssl.SSLContext | None) -> None:
        self._core = core
        self._tls = tls
        self._quiet_since_s = 0.0
        # Changes with each event, so that an answer from before it proves nothing.
        self._turn = 0
        self._task: asyncio.Task[bool] | None = None

    def hear(self) -> None:
        """Notes an event, or a new connection."""
        self._quiet_since_s = time.monotonic()
        self._turn += 1

    def is_behind(self, now_s: float, quiet_s: float) -> bool:
        """Returns whether events are missing. Asks the server after a silence; the answer is there at a later call."""
        if self._task is not None:
            if not self._task.done():
                return False
            task, self._task = self._task, None
            return not task.cancelled() and task.exception() is None and task.result()
        if now_s - self._quiet_since_s >= quiet_s and self._core.place.wishes.wanted:
            self._quiet_since_s = now_s
            self._task = asyncio.create_task(self._compare())
        return False

    async def _compare(self) -> bool:
        turn, place = self._turn, self._core.place
        symbols = list(place.wishes.wanted)
        query = "" if EVERY in symbols else "?" + urlencode({"symbols": ",".join(symbols)})
        try:
            answer = await fetch_json(self._core.url_of(f"api/v1/snapshot{query}"), _ANSWER_S, self._tls)
        except RequestError:
            # Without an answer there is no proof.
            return False
        await asyncio.sleep(_GRACE_S)
        return turn == self._turn and answer["epoch"] == place.epoch and place.gate.behind(answer["snapshots"])

    def stop(self) -> None:
        """Ends a question."""
        if self._task is not None:
            self._task.cancel()
