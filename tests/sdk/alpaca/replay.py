"""Reads the bars of a replay with alpaca-py, unchanged, and compares each with the file. Usage: replay.py ADDRESS FILE.csv.gz [SPEED]

The server replays the file paused, at its own time. SPEED is that of the replay, by default as fast as possible."""

import csv
import gzip
import logging
import sys
import threading
import urllib.request
from datetime import datetime
from zoneinfo import ZoneInfo

from alpaca.data.live import StockDataStream

ADDRESS, FILE, SPEED = (sys.argv + ["max"])[1:4]

with gzip.open(FILE, "rt") as file:
    expected = [
        (
            datetime.fromisoformat(row["date"]).replace(tzinfo=ZoneInfo("America/New_York")),
            *(float(row[key]) for key in ("open", "high", "low", "close", "volume")),
        )
        for row in csv.DictReader(file)
    ]
received = []


class OnceSubscribed(logging.Handler):
    """Starts the replay when the server has confirmed the subscription."""

    def emit(self, record: logging.LogRecord) -> None:
        if "subscribed to" in record.getMessage() and "SPY" in record.getMessage():
            threading.Thread(target=start).start()


def start() -> None:
    for order in (f"speed?x={SPEED}", "resume"):
        urllib.request.urlopen(urllib.request.Request(f"http://{ADDRESS}/api/v1/feed/{order}", method="POST")).read()


async def keep(bar) -> None:
    received.append((bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume))
    if len(received) == len(expected):
        await stream.stop_ws()


logging.getLogger().addHandler(OnceSubscribed())
logging.getLogger().setLevel(logging.INFO)
stream = StockDataStream("tickcast", "tickcast", url_override=f"ws://{ADDRESS}/v2/iex")
stream.subscribe_bars(keep, "SPY")
stream.run()
for found, wanted in zip(received, expected, strict=True):
    assert found == wanted, (found, wanted)
print(f"{len(received)} bars, each as in the file")
