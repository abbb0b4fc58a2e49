"""HTTP requests with a limit on the size of the answer and on the time it takes."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rnnapps.serving.clients.address import Address
from rnnapps.serving.clients.errors import LARGEST_ANSWER

_PIECE = 2**16  # bytes read at a time


class TooLarge(Exception):
    """An answer, head and body together, of more than `LARGEST_ANSWER` bytes."""


class Response(NamedTuple):
    """An answer.

    Attributes:
        status: The status code.
        phrase: What the server calls it.
        headers: The headers, by names in any case.
        body: The content.
    """

    status: int
    phrase: str
    headers: Mapping[str, str]
    body: bytes


class HttpConnection:
    """A connection to a server, for one thread. It is opened when needed, and again after the server has closed it.

    Args:
        address: The server's, of the scheme http or https.
        timeout: Longest wait for a connection, and for a whole answer, in seconds.
    """

    def __init__(self, address: Address, timeout: float):
        kind = http.client.HTTPSConnection if address.tls else http.client.HTTPConnection
        self._connection = kind(address.host, address.port, timeout=timeout)
        self._connection.response_class = _BoundedResponse
        self._timeout = timeout

    def request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        """Sends a request and waits for the answer.

        Args:
            method: `GET` or `POST`.
            path: The path on the server.
            body: The content to send.
            headers: Headers to send beside those that HTTP asks for.

        Returns:
            The answer, whatever its status.

        Raises:
            TimeoutError: The answer was not complete in time.
            TooLarge: The answer has more than `LARGEST_ANSWER` bytes.
            OSError, http.client.HTTPException: There is no connection, or the answer is not one of HTTP.
        """
        used = self._connection.sock is not None
        try:
            return self._exchange(method, path, body, headers)
        except (TimeoutError, TooLarge):
            self.close()
            raise
        except (OSError, http.client.HTTPException):
            self.close()
            if used:  # a server may close a connection that has not been used for long
                return self.request(method, path, body, headers)
            raise
        except ValueError as error:  # what http.client says of a chunk without a length, among others
            self.close()
            raise http.client.HTTPException(f"malformed answer: {error}") from None

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        if self._connection.sock is None:
            self._connection.connect()
        with _deadline(self._connection.sock, self._timeout):
            self._connection.request(method, path, body, dict(headers))
            response = self._connection.getresponse()
            length = response.length or 0
            if length > LARGEST_ANSWER:
                raise TooLarge
            pieces = list(iter(lambda: response.read(_PIECE), b""))
            content = b"".join(pieces)
            if len(content) < length:
                raise http.client.IncompleteRead(content, length - len(content))
            return Response(response.status, response.reason, dict(response.headers), content)


class _BoundedResponse(http.client.HTTPResponse):
    """A response whose every byte is counted: of the head, of chunks' lengths and of trailers, too."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bounded(self.fp.detach()))


class _Bounded(io.RawIOBase):
    """What reads from a raw stream until it has given `LARGEST_ANSWER` bytes, and a little for the head."""

    def __init__(self, raw: io.RawIOBase):
        self._raw, self._left = raw, LARGEST_ANSWER + _PIECE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise TooLarge
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


@contextlib.contextmanager
def _deadline(connected: socket.socket, seconds: float) -> Iterator[None]:
    """Ends a conversation in time; a socket's own timeout starts anew with every byte that arrives.

    Args:
        connected: The conversation's socket.
        seconds: How long the block may take.

    Raises:
        TimeoutError: The block took longer.
    """
    late = threading.Event()

    def stop() -> None:
        late.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)  # not TLS's own, which two threads must not share

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():  # an answer without a length ends with the connection, as if it were complete
        raise TimeoutError
