"""Connections that HTTP clients hide: raw bytes with broken framing, and endless bodies (server-sent events)."""
import http.client
import json
import select
import socket

from flexcore import SOON_S, failure, reply

ENDLESS_BYTES_MAX = 256 << 20


class raw_connection:
    def __init__(self, port, bound_s=SOON_S):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=bound_s)
        self.buffer = b""
        self.body = b""

    def send(self, data, again=b"", half_close=False):
        """`again`: then this, over and over, until the server answers or closes."""
        try:
            self.socket.sendall(data)
            if again:
                self._send_until_answered(again)
            if half_close:
                self.socket.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has answered and closed; the answer may still be read

    def _send_until_answered(self, unit):
        block = unit * max(1, 65536 // len(unit))
        sent = 0
        while sent < ENDLESS_BYTES_MAX:
            readable, _, _ = select.select([self.socket], [], [], 0)
            if readable:
                return
            self.socket.sendall(block)
            sent += len(block)
        raise failure(f"the server has taken {sent} bytes without an answer")

    def _more(self):
        try:
            part = self.socket.recv(65536)
        except ConnectionResetError:
            part = b""
        except TimeoutError:
            raise failure(f"no answer; so far: {self.buffer[:200]!r}") from None
        self.buffer += part
        return bool(part)

    def _need(self, condition, what):
        while not condition():
            if not self._more():
                raise failure(f"the connection was closed {what}; so far: {self.buffer[:200]!r}")

    def _head(self):
        self._need(lambda: b"\r\n\r\n" in self.buffer, "without an answer")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ")[:2]
        if not version.startswith("HTTP/1."):
            raise failure(f"no status line: {lines[0]!r}")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return reply(int(status), headers, b"")

    def reply(self, of_head=False):
        """The next answer on this connection."""
        answer = self._head()
        if of_head or answer.status in (100, 204, 304):
            return answer
        if answer.header("transfer-encoding") == "chunked":
            parts = []
            while part := self._chunk():
                parts.append(part)
            answer.body = b"".join(parts)
        else:
            length = int(answer.header("content-length") or 0)
            self._need(lambda: len(self.buffer) >= length, "inside a body")
            answer.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return answer

    def begin(self):
        """The status of an answer whose body is read line by line."""
        answer = self._head()
        if answer.header("transfer-encoding") != "chunked":
            raise failure("the answer is not chunked, so it cannot come line by line")
        return answer.status

    def line(self):
        while b"\n" not in self.body:
            part = self._chunk()
            if not part:
                raise failure("the body ended early")
            self.body += part
        line, self.body = self.body.split(b"\n", 1)
        return line

    def expect_end(self):
        rest = self.body + self._chunk()
        if rest:
            raise failure(f"expected the end of the body, got {rest[:300]!r}")

    def _chunk(self):
        """The next chunk, empty at the end of the body."""
        self._need(lambda: b"\r\n" in self.buffer, "inside a chunk")
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        size = int(line, 16)
        self._need(lambda: len(self.buffer) >= size + 2, "inside a chunk")
        data, self.buffer = self.buffer[:size], self.buffer[size + 2:]
        return data

    def drain(self):
        """Reads to the end, whatever comes, as long as it is no 5xx."""
        while self._more():
            pass
        if b"HTTP/1.1 5" in self.buffer:
            raise failure(f"a server error: {self.buffer[:300]!r}")
        self.buffer = b""

    def expect_closed(self):
        """The server closes, and sends nothing more."""
        try:
            more = bool(self.buffer) or self._more()
        except failure:
            raise failure("the server leaves the connection open") from None
        if more:
            raise failure(f"expected a closed connection, got {self.buffer[:300]!r}")

    def close(self):
        self.socket.close()


class event_stream:
    """Server-sent events, as {"id", "event", "data"} or {"comment"}."""

    def __init__(self, port, target, headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON_S)
        self.connection.request("GET", target, headers=headers)
        self.answer = self.connection.getresponse()
        media = self.answer.getheader("content-type") or ""
        if self.answer.status != 200 or not media.startswith("text/event-stream"):
            raise failure(f"no event stream: {self.answer.status} {media} {self.answer.read()[:500]!r}")

    def next(self, pattern):
        """The next frame; comments and frames that only move the id are passed over unless the pattern asks for them."""
        while True:
            frame = self._frame()
            if "comment" in frame and "comment" not in pattern:
                continue
            if set(frame) == {"id"} and set(pattern) != {"id"}:
                continue
            return frame

    def _frame(self):
        frame = {}
        while True:
            try:
                line = self.answer.readline()
            except TimeoutError:
                raise failure("no further server-sent event") from None
            if not line:
                raise failure("the event stream ended")
            line = line.decode("utf-8").rstrip("\r\n")
            if not line:
                if frame:
                    if "data" in frame and frame["data"][:1] == "{":
                        frame["data"] = json.loads(frame["data"])
                    return frame
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            name = name or "comment"
            frame[name] = frame[name] + "\n" + value if name in frame else value

    def close(self):
        self.connection.close()
