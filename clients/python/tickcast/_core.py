"""What a connection needs of its client, and the client of its connection."""

from typing import Protocol

from ._messages import Raw, Transport
from ._place import Place


class Link(Protocol):
    """A connection."""

    transport: Transport
    is_ready: bool

    async def run(self) -> None:
        """Serves the connection; raises Ended when it has ended."""

    def update(self) -> None:
        """Makes the subscriptions the wanted ones."""

    def refresh(self) -> None:
        """Subscribes to everything again."""

    def ping(self) -> None:
        """Sends a ping, if the transport has one."""

    def owed_for(self, now_s: float) -> float:
        """Returns how long the server owes an answer, in seconds."""

    def silent_for(self, now_s: float) -> float:
        """Returns for how many seconds the most silent part of the connection has brought nothing, not even a heartbeat."""

    def is_behind(self, now_s: float, quiet_s: float) -> bool:
        """Returns whether no events come although there are some."""

    def control(self, message: Raw) -> bool:
        """Takes a message that concerns the connection. Returns whether the application is to see it."""

    def passed(self, message: Raw) -> None:
        """Notes a message that has passed the gate."""

    async def close(self) -> None:
        """Ends the connection cleanly."""


class Core(Protocol):
    """The client, as its connections see it."""

    place: Place
    #: Keys of a request: `{"on_lag": "close"}`, or nothing.
    lag_option: dict[str, str]
    account: str | None

    async def token(self, is_fresh: bool = False) -> str | None:
        """Returns the token of this connection, a new one if it must be fresh; None if there is none. Raises Ended."""

    def url_of(self, path: str, is_socket: bool = False) -> str:
        """Returns the address of a path of the server."""

    def enter(self, link: Link, welcome: Raw | None = None) -> None:
        """The connection is ready; calls `update`."""

    async def take(self, link: Link, messages: list[Raw], source: object = None) -> bool:
        """Checks messages and passes them on.

        ``source`` is what awaits the snapshots among them, the link itself if it is left out. Returns False if the connection was
        given up, and raises Ended if a message is missing.
        """

    async def refuse(self, error: Raw) -> None:
        """A request over HTTP was refused."""
