"""The client of a tickcast server: live prices by WebSocket, or by server-sent events or long polling.

    async with Client("http://127.0.0.1:8080") as client:
        client.subscribe(["AAPL"])
        async for message in client:
            ...
"""

from ._client import Client
from ._closing import ClosedError, Failure
from ._messages import (
    Bar,
    Cancel,
    Channel,
    Correction,
    Day,
    Error,
    FeedState,
    Gap,
    Goodbye,
    Heartbeat,
    Hole,
    Lag,
    Message,
    Open,
    Pong,
    Quote,
    Reset,
    Snapshot,
    Subscribed,
    Suspect,
    Trade,
    Transport,
    Welcome,
)
from ._options import Options, Status

__all__ = [
    "Bar", "Cancel", "Channel", "Client", "ClosedError", "Correction", "Day", "Error", "Failure", "FeedState", "Gap", "Goodbye", "Heartbeat",
    "Hole", "Lag", "Message", "Open", "Options", "Pong", "Quote", "Reset", "Snapshot", "Status", "Subscribed", "Suspect",
    "Trade", "Transport", "Welcome",
]
