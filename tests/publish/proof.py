"""Proves that published events arrive once each and in order, though connections are cut at random.

A publisher sends N numbered events in batches, and repeats each request until it is answered. A subscriber comes back with its cursor. Both
go through proxies that cut every connection after a random number of bytes, chosen by a seed: in requests, in answers, in handshakes.

    python3 tests/publish/proof.py --server target/release/tickcast --events 1000000 --seed 1
"""

import argparse
import json
import multiprocessing
import os
import signal
import threading
import time

import cutter
import publisher
from reader import Reader, WrongError
from server import Address, running

# Mean number of bytes until a connection is cut: of a publisher's requests and answers, of a subscriber's requests and messages.
PUBLISHER_BYTES = (400_000, 8_000)
READER_BYTES = (4_000, 250_000)

Process = multiprocessing.get_context("fork").Process


def proxy(target: Address, seed: int, means: tuple[int, int], cuts: object) -> Address:
    """Starts a proxy and returns its address."""
    told, tells = multiprocessing.Pipe(duplex=False)
    Process(target=cutter.serve, args=(target, seed, *means, cuts, tells), daemon=True).start()
    host, port = told.recv()
    return str(host), int(port)


def main() -> None:
    parser = argparse.ArgumentParser(description="publishes events through connections that are cut, and checks what a subscriber gets")
    parser.add_argument("--server", required=True, help="the program")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=100, help="events of a request")
    parser.add_argument("--seed", type=int, default=1, help="chooses the cuts")
    parser.add_argument("--without-keys", action="store_true", help="without Idempotency-Key: the proof must fail")
    wanted = parser.parse_args()
    with running([wanted.server], {}) as (address, _):
        prove(wanted, address)


def prove(wanted: argparse.Namespace, address: Address) -> None:
    read, counts = multiprocessing.Value("q", 0, lock=False), multiprocessing.Array("q", 3, lock=False)
    cuts = [multiprocessing.Value("q", 0, lock=False) for _ in range(2)]
    publishers, readers = (
        proxy(address, wanted.seed * 2 + side, means, cuts[side]) for side, means in enumerate((PUBLISHER_BYTES, READER_BYTES))
    )
    task = Process(
        target=publisher.publish,
        args=(publishers, wanted.events, wanted.batch, not wanted.without_keys, read, counts),
        daemon=True,
    )
    ready, began, is_read = threading.Event(), time.monotonic(), False

    def run() -> None:
        ready.wait()
        task.start()
        task.join()
        if task.exitcode and not is_read:
            # Otherwise the reader would wait for ever.
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=run, daemon=True).start()
    reader = Reader(readers, read)
    try:
        reader.read_until(wanted.events, ready)
        reader.check_end(address)
    except WrongError as err:
        is_read = True
        raise SystemExit(f"wrong: {err}") from err
    except KeyboardInterrupt as err:
        raise SystemExit("the publisher has failed") from err
    seconds = time.monotonic() - began
    print(
        json.dumps(
            {
                "events": reader.next,
                "seconds": round(seconds, 1),
                "publisher_cuts": cuts[0].value,
                "retries": counts[0],
                "repeats": counts[1],
                "waits": counts[2],
                "reader_cuts": cuts[1].value,
                "reader_sessions": reader.sessions,
                "lags": reader.lags,
            }
        )
    )


main()
