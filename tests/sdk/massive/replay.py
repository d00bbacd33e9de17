"""Reads the bars of a replay with the client library of Massive, unchanged, and compares each with the file.

    replay.py ADDRESS FILE.csv.gz

The server replays the file paused, at its own time, as fast as possible.
"""

import asyncio
import csv
import gzip
import logging
import sys
import threading
import urllib.request
from datetime import datetime
from zoneinfo import ZoneInfo

from massive import WebSocketClient

ADDRESS, FILE = sys.argv[1:]

with gzip.open(FILE, "rt") as file:
    expected = [
        (
            round(datetime.fromisoformat(row["date"]).replace(tzinfo=ZoneInfo("America/New_York")).timestamp() * 1_000),
            *(float(row[key]) for key in ("open", "high", "low", "close", "volume")),
        )
        for row in csv.DictReader(file)
    ]
received = []


class OnceSubscribed(logging.Handler):
    """Starts the replay when the server has confirmed the subscription."""

    def emit(self, record: logging.LogRecord) -> None:
        if "subscribed to: AM.SPY" in record.getMessage():
            threading.Thread(target=start).start()


def start() -> None:
    request = urllib.request.Request(f"http://{ADDRESS}/api/v1/feed/resume", method="POST")
    urllib.request.urlopen(request).read()


async def keep(messages) -> None:
    received.extend(
        (bar.start_timestamp, bar.open, bar.high, bar.low, bar.close, float(bar.volume)) for bar in messages
    )
    if len(received) >= len(expected):
        await stream.close()


async def main() -> None:
    # Without an end of its own, a run in which a bar is missing would wait for ever.
    await asyncio.wait_for(stream.connect(keep), 50)


logger = logging.getLogger("WebSocketClient")
logger.addHandler(OnceSubscribed())
logger.setLevel(logging.DEBUG)
stream = WebSocketClient(
    api_key="tickcast", feed=ADDRESS, market="stocks", secure=False, subscriptions=["AM.SPY"], max_reconnects=0
)
asyncio.run(main())
for found, wanted in zip(received, expected, strict=True):
    assert found == wanted, (found, wanted)
print(f"{len(received)} bars, each as in the file")
