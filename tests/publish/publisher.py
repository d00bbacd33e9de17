"""A publisher of batches, one after another, that repeats a request until it is answered."""

import http.client
import json
import time
from typing import Any

from events import batch
from server import Address

# How many events it may be ahead of the reader: fewer than history.events_max, so that the reader's cursor stays good.
AHEAD_MAX = 100_000


def publish(address: Address, events: int, size: int, with_keys: bool, read: Any, counts: Any) -> None:
    """Publishes the events. `counts` has retries, repeats that the server has recognized, and requests that had to wait."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    newest = 0
    for first in range(0, events, size):
        end = min(first + size, events)
        while first - read.value > AHEAD_MAX:
            time.sleep(0.001)
        headers = {"Idempotency-Key": f"batch-{first}"} if with_keys else {}
        answer = answered(connection, batch(first, end), headers, counts)
        if answer["events"] != end - first or answer["late_dropped"] or answer["first"] <= newest:
            raise SystemExit(f"events {first} to {end} were answered with {answer}, after offset {newest}")
        newest = answer["last"]


def answered(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str], counts: Any) -> dict[str, Any]:
    """Sends the request until it is answered."""
    while True:
        try:
            connection.request("POST", "/api/v1/publish", body, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            counts[0] += 1
            continue
        if response.status == 200:
            try:
                answer = dict(json.loads(text))
            except ValueError:
                # The library takes an answer that was cut within its headers for an empty one.
                connection.close()
                counts[0] += 1
                continue
            counts[1] += response.headers.get("Idempotency-Replayed") == "true"
            return answer
        if response.status not in (429, 503):
            raise SystemExit(f"{response.status}: {text.decode()}")
        counts[2] += 1
        time.sleep(float(response.headers.get("Retry-After", "0")))
