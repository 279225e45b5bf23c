"""The least of HTTP/1.1 a load generator must read: where a response ends, and its status."""

from __future__ import annotations

import re

MAX_HEAD_BYTES = 64 * 1024


class BadResponseError(Exception):
    """The bytes are not an HTTP/1.1 response."""


class ResponseReader:
    """Feed it the bytes of one response; `done` turns true with the last of them."""

    __slots__ = ("_buffer", "_chunked", "_left", "done", "reusable", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.done = False
        self.reusable = False
        self._buffer = b""
        self._chunked = False
        self._left: int | None = None  # bytes of body (or of this chunk) still to come; None: until the server closes

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.status is None:
            self._buffer += data
            while self.status is None and b"\r\n\r\n" in self._buffer:
                head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
                self._read_head(head)
            if self.status is None:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise BadResponseError("head too long")
                return
            data, self._buffer = self._buffer, b""
        if self._chunked:
            self._read_chunks(data)
        elif self._left is not None:
            self._left -= len(data)
            self.done = self._left <= 0
            self.reusable = self.reusable and self._left >= 0  # surplus bytes belong to no request

    @property
    def begun(self) -> bool:
        """Whether any byte has come."""
        return self.status is not None or bool(self._buffer)

    def end(self) -> None:
        """The server has closed: that ends a response of unknown length, and only such a one."""
        self.reusable = False
        self.done = self.done or (self.status is not None and self._left is None and not self._chunked)

    def _read_head(self, head: bytes) -> None:
        lines = head.split(b"\r\n")
        words = lines[0].split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not re.fullmatch(rb"[1-5][0-9][0-9]", words[1]):
            raise BadResponseError("status line")
        status = int(words[1])
        if status < 200:
            return  # 1xx comes before the real head
        self.reusable = words[0] == b"HTTP/1.1"
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip().lower()
            if name == b"content-length":
                if not re.fullmatch(rb"[0-9]{1,15}", value):
                    raise BadResponseError("content-length")
                self._left = int(value)
            elif name == b"transfer-encoding" and value.endswith(b"chunked"):
                self._chunked = True
            elif name == b"connection" and value == b"close":
                self.reusable = False
        if status in (204, 304):
            self._left, self._chunked = 0, False
        self.status = status

    def _read_chunks(self, data: bytes) -> None:
        self._buffer += data
        while not self.done:
            if self._left is not None:  # inside a chunk: its bytes and the line end after them
                taken = min(self._left, len(self._buffer))
                self._buffer, self._left = self._buffer[taken:], self._left - taken
                if self._left:
                    return
                self._left = None
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found and len(self._buffer) < MAX_HEAD_BYTES:
                return
            size = line.partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,12}", size):
                raise BadResponseError("chunk size")
            if not int(size, 16):  # the last chunk: trailers or none, then an empty line
                self.done = rest.startswith(b"\r\n") or rest.endswith(b"\r\n\r\n")
                return
            self._buffer, self._left = rest, int(size, 16) + 2
