"""Requests over HTTP/1.1, each on a connection of its own: a JSON answer, and a stream of server-sent events.

The standard library has no client that does not block, and one for three addresses is not worth a dependency.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ._closing import Ended, Failure
from ._messages import GarbledError, Raw, read_json

#: Statuses after which the same request may succeed later.
PASSING = (408, 425, 429, 500, 502, 503, 504)
_LINE_BYTES_MAX = 1 << 16


class RequestError(Ended):
    """A request that failed, with the problem document of the server if it has sent one."""

    def __init__(self, failure: Failure, problem: Raw | None = None) -> None:
        super().__init__(failure)
        self.problem = problem


class StreamEvent(NamedTuple):
    """One event of a stream."""

    #: None for a comment.
    data: str | None
    #: The cursor; None if there was none.
    id: str | None


class _Answer:
    """The head of an answer, and its body in pieces."""

    def __init__(self, status: int, headers: dict[str, str], reader: asyncio.StreamReader) -> None:
        self.status, self.headers, self._reader = status, headers, reader

    async def pieces(self) -> AsyncIterator[bytes]:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await self._reader.readline()).split(b";")[0], 16):
                yield await self._reader.readexactly(size)
                await self._reader.readline()
        elif "content-length" in self.headers:
            yield await self._reader.readexactly(int(self.headers["content-length"]))
        else:
            while piece := await self._reader.read(_LINE_BYTES_MAX):
                yield piece

    async def text(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])


@asynccontextmanager
async def _request(url: str, timeout_s: float, accept: str, tls: ssl.SSLContext | None, token: str | None) -> AsyncIterator[_Answer]:
    """Sends a request. The timeout counts until the head of the answer.

    Raises RequestError if there is no answer, or one with an error status.
    """
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    writer: asyncio.StreamWriter | None = None
    try:
        try:
            async with asyncio.timeout(timeout_s):
                context = (tls or ssl.create_default_context()) if is_secure else None
                port = parts.port or (443 if is_secure else 80)
                reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context, limit=_LINE_BYTES_MAX)
                target = f"{parts.path}?{parts.query}" if parts.query else parts.path
                authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
                head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: {accept}\r\nCache-Control: no-cache\r\n{authorization}"
                writer.write(f"{head}Connection: close\r\n\r\n".encode())
                answer = await _read_head(reader)
        except TimeoutError as err:
            raise RequestError(Failure("silent", is_blocked=True)) from err
        if not 200 <= answer.status < 300:
            raise await _refusal(answer)
        yield answer
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as err:
        raise RequestError(Failure("unreachable")) from err
    finally:
        if writer is not None:
            writer.transport.abort()


async def _read_head(reader: asyncio.StreamReader) -> _Answer:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return _Answer(int(lines[0].split(" ")[1]), headers, reader)


def retry_after_ms_of(value: str) -> float | None:
    """Returns the delay of a header ``Retry-After``; None if it has none, or a date."""
    return float(value) * 1_000 if value.isascii() and value.isdigit() else None


async def _refusal(answer: _Answer) -> RequestError:
    retry_after_ms = retry_after_ms_of(answer.headers.get("retry-after", ""))
    try:
        problem = json.loads(await answer.text())
    except ValueError:
        problem = None
    failure = Failure("refused", status=answer.status, retry_after_ms=retry_after_ms, is_blocked=answer.status not in PASSING)
    return RequestError(failure, problem if isinstance(problem, dict) else None)


async def fetch_json(url: str, timeout_s: float, tls: ssl.SSLContext | None, token: str | None = None) -> Any:
    """Fetches JSON. Raises RequestError."""
    try:
        async with asyncio.timeout(timeout_s), _request(url, timeout_s, "application/json", tls, token) as answer:
            return read_json(await answer.text())
    except GarbledError as err:
        raise RequestError(Failure("garbage")) from err
    except TimeoutError as err:
        raise RequestError(Failure("silent", is_blocked=True)) from err


async def read_stream(
    url: str, timeout_s: float, tls: ssl.SSLContext | None, token: str | None = None
) -> AsyncGenerator[StreamEvent, None]:
    """Reads a stream of server-sent events (WHATWG HTML, section 9.2.6) until its end. Raises RequestError."""
    async with _request(url, timeout_s, "text/event-stream", tls, token) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise RequestError(Failure("refused", status=answer.status, is_blocked=True))
        rest = b""
        data: list[str] = []
        id_: str | None = None
        async for piece in answer.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                field, _, value = line.rstrip(b"\r").decode().partition(":")
                value = value.removeprefix(" ")
                if not field and not value and not line.startswith(b":"):
                    yield StreamEvent("\n".join(data) if data else None, id_)
                    data, id_ = [], None
                elif field == "data":
                    data.append(value)
                elif field == "id":
                    id_ = value
