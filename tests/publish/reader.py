"""A subscriber over a WebSocket that comes back with its cursor, and checks that each numbered event comes once and in order."""

import base64
import json
import os
import socket
import struct
import time
from typing import Any

from events import is_whole, number_of
from server import Address


class WrongError(Exception):
    """The stream is not what was published."""


class CutError(Exception):
    """The connection has ended."""


class WebSocket:
    """A connection, as far as this reader needs it (RFC 6455)."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        status = self.file.readline().split()
        while self.file.readline().strip():
            pass
        if len(status) < 2 or status[1] != b"101":
            time.sleep(0.1)
            raise CutError

    def send(self, opcode: int, payload: bytes) -> None:
        """Sends a frame of at most 65,535 bytes, with a mask of zeros."""
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + struct.pack(">H", len(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + length + bytes(4) + payload)

    def request(self, request: dict[str, Any]) -> None:
        self.send(1, json.dumps(request).encode())

    def messages(self) -> list[dict[str, Any]]:
        """Returns the messages of the next text."""
        text = b""
        while True:
            head, length = self.bytes(2)
            if length == 126:
                (length,) = struct.unpack(">H", self.bytes(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self.bytes(8))
            payload = self.bytes(length)
            opcode = head & 15
            if opcode == 9:
                self.send(10, payload)
            elif opcode == 8:
                raise CutError
            elif opcode < 3:
                text += payload
                if head & 0x80:
                    return list(json.loads(text))

    def bytes(self, count: int) -> bytes:
        read = self.file.read(count)
        if len(read) < count:
            raise CutError
        return read

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Reader:
    def __init__(self, address: Address, read: Any) -> None:
        self.address, self.read = address, read
        self.cursor: dict[str, Any] | None = None
        self.next = self.sessions = self.lags = 0
        self.seq: dict[tuple[str, str], int] = {}

    def read_until(self, end: int, ready: Any) -> None:
        """Reads up to the event with this number, in as many sessions as it takes."""
        while self.next < end:
            try:
                self.session(self.address, lambda: self.next >= end, ready)
            except (CutError, OSError):
                continue

    def check_end(self, address: Address) -> None:
        """Checks that nothing follows: what the server has sent before its answer to a ping."""
        self.address, is_answered = address, False

        def answered() -> bool:
            return is_answered

        while not is_answered:
            try:
                for message in self.session(address, answered, None, {"action": "ping"}):
                    is_answered |= message["type"] == "pong"
            except (CutError, OSError):
                continue

    def session(self, address: Address, is_done: Any, ready: Any, more: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Reads one session; returns the messages of the last text. Raises `CutError` at its end."""
        connection = WebSocket(address)
        try:
            (welcome,) = (message for message in connection.messages() if message["type"] == "welcome")
            self.cursor = self.cursor or {"epoch": welcome["epoch"], "offset": welcome["offset"]}
            wanted = {"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"], "after": self.cursor}
            connection.request(wanted)
            if more:
                connection.request(more)
            self.sessions += 1
            while True:
                messages = connection.messages()
                for message in messages:
                    self.take(message, ready)
                self.read.value = self.next
                if is_done() or more and any(message["type"] == "pong" for message in messages):
                    return messages
        finally:
            connection.close()

    def take(self, message: dict[str, Any], ready: Any) -> None:
        kind = message["type"]
        if kind in ("trade", "quote"):
            self.check(message)
        elif kind == "subscribed":
            if not message.get("recovered"):
                raise WrongError(f"the cursor {self.cursor} is void: {message}")
            if ready:
                ready.set()
        elif kind == "lag":
            # Its events can still be read after the cursor.
            self.lags += 1
            raise CutError
        elif kind == "error":
            raise WrongError(f"{message}")

    def check(self, event: dict[str, Any]) -> None:
        """Checks an event, which moves the cursor."""
        number = number_of(event)
        if number != self.next:
            what = "comes twice" if number < self.next else "comes too early"
            raise WrongError(f"event {number} {what}: {self.next} is the next one; {event}")
        if not is_whole(event, number):
            raise WrongError(f"event {number} has other values: {event}")
        assert self.cursor is not None
        channel = (event["symbol"], event["type"])
        seq = self.seq.get(channel, 0) + 1
        if event["seq"] != seq or event["offset"] <= self.cursor["offset"]:
            raise WrongError(f"seq is not {seq}, or the offset is not after {self.cursor['offset']}: {event}")
        self.seq[channel], self.cursor["offset"] = seq, event["offset"]
        self.next += 1
