"""Measures how many events a second a server takes from one publisher, in batches.

The server runs on one core and the publisher on another. The requests are made before the measurement.

    python3 tests/publish/rate.py --server target/release/tickcast --seconds 10
"""

import argparse
import http.client
import json
import os
import time

from events import batch
from server import running


def main() -> None:
    parser = argparse.ArgumentParser(description="measures the events a second of one publisher")
    parser.add_argument("--server", required=True, help="the program")
    parser.add_argument("--batch", type=int, default=100, help="events of a request")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--core", type=int, default=0, help="the core of the server; the publisher runs on others")
    wanted = parser.parse_args()
    # Within the budget of a publisher the rate would be the budget's.
    settings = {
        "TICKCAST__SERVER__WORKERS": "1",
        "TICKCAST__LIMITS__ADDRESS_WORK_PER_SECOND_MAX": "0",
        "TICKCAST__LIMITS__KEY_WORK_PER_SECOND_MAX": "0",
    }
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {wanted.core})
    with running([wanted.server], settings) as (address, pid):
        os.sched_setaffinity(0, cores - {wanted.core} or cores)
        bodies = [batch(first, first + wanted.batch) for first in range(0, 1_000 * wanted.batch, wanted.batch)]
        connection = http.client.HTTPConnection(*address, timeout=30)
        events = waits = number = 0
        used, began = processor_seconds(pid), time.monotonic()
        while time.monotonic() - began < wanted.seconds:
            headers = {"Idempotency-Key": f"batch-{number}"}
            connection.request("POST", "/api/v1/publish", bodies[number % len(bodies)], headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status == 200:
                events, number = events + answer["events"], number + 1
            elif response.status == 429:
                waits += 1
                time.sleep(float(response.headers["Retry-After"]))
            else:
                raise SystemExit(f"{response.status}: {answer}")
        seconds, used = time.monotonic() - began, processor_seconds(pid) - used
        rate = {"events": events, "seconds": round(seconds, 2), "waits": waits, "events_per_second": round(events / seconds)}
        print(json.dumps(rate | {"server_core": round(used / seconds, 2), "events_per_core_second": round(events / used)}))


def processor_seconds(pid: int) -> float:
    """Returns the processor time that the process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


main()
