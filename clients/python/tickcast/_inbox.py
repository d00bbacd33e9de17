"""The messages that wait for the application, and the end that is read after them."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Iterable

from ._messages import Message


class Inbox:
    """A queue with a bound. Its end is no part of it, so that it takes no message's place."""

    def __init__(self, most: int) -> None:
        """Takes the bound; 0 for none."""
        self._most = most if most > 0 else math.inf
        self._messages: deque[Message] = deque()
        self._error: Exception | None = None
        self._is_ended = False
        self._is_readable = asyncio.Event()
        self._has_room = asyncio.Event()
        self._note()

    def _note(self) -> None:
        for event, is_set in ((self._is_readable, bool(self._messages) or self._is_ended), (self._has_room, not self.is_full)):
            if is_set:
                event.set()
            else:
                event.clear()

    @property
    def is_full(self) -> bool:
        """Whether more messages wait than the bound, so that those who add some are to wait for room."""
        return len(self._messages) > self._most

    def add(self, messages: Iterable[Message]) -> None:
        """Adds messages, at once: a task that waited first could be cancelled with messages that count as delivered."""
        self._messages.extend(messages)
        self._note()

    async def room(self) -> None:
        """Waits until there is room."""
        await self._has_room.wait()

    def end(self, error: Exception | None) -> None:
        """Ends the messages; the error is raised after the last one. Only the first end counts."""
        if not self._is_ended:
            self._is_ended, self._error = True, error
            self._note()

    async def read(self) -> AsyncIterator[Message]:
        """Iterates over the messages until the end."""
        while True:
            await self._is_readable.wait()
            # Another reader may have been faster.
            if self._messages:
                message = self._messages.popleft()
                self._note()
                yield message
            elif self._is_ended:
                break
        if self._error is not None:
            raise self._error
