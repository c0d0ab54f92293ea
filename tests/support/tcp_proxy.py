#!/usr/bin/env python3
"""A TCP connection's bad days: a proxy on a free loopback port that a test makes misbehave while it runs.

    with tcp_proxy(target_port) as between:
        between.delay(0.05)                 # each piece waits; both directions, or toward "server" or "client" alone
        between.hold(CLIENT)                # a black hole: nothing arrives until `heal`, not even an end; answers only
        between.slice(1)                    # arrives in pieces of so many bytes
        between.cut_after(100, SERVER)      # each connection is cut when so many more bytes have passed
        between.reset()                     # cuts all there are, with RST
        between.refuse()                    # new connections are refused
        between.heal()                      # whatever was set is no more; what was held arrives

usage: tcp_proxy.py TARGET_PORT             for programs in other languages: prints its port, then does what each line on
                                            its input says ("delay 0.05", "cut_after 100 server") and answers "ok"

Threads:  one of its own; every method may be called from any thread and returns when it holds.
Lifetime: `close` (or leaving the `with` block) cuts all connections.
"""
import asyncio
import socket
import struct
import sys
import threading

from flexcore import free_port

SERVER, CLIENT = "server", "client"
BOTH = (SERVER, CLIENT)
PIECE_BYTES = 64 * 1024
_BOUND_S = 30.0


class _way:
    """What happens to the bytes of one direction, in all connections."""

    def __init__(self):
        self.delay_s = 0.0
        self.held = False
        self.piece_bytes = 0
        self.cut_after = None


class _connection:
    def __init__(self, client, server):
        self.writers = {CLIENT: client[1], SERVER: server[1]}
        self.readers = {SERVER: client[0], CLIENT: server[0]}
        self.passed = {SERVER: 0, CLIENT: 0}  # since cut_after was set
        self.passing = []

    def cut(self):
        """Both ends see a reset."""
        for task in self.passing:
            task.cancel()
        for writer in self.writers.values():
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class tcp_proxy:
    def __init__(self, target_port, target_host="127.0.0.1"):
        self.target = (target_host, target_port)
        self.port = 0
        self.accepted = 0            # connections so far
        self._loop = asyncio.new_event_loop()
        self._changed = None         # an event that is replaced at each change
        self._ways = {SERVER: _way(), CLIENT: _way()}
        self._connections = set()
        self._tasks = set()
        self._listener = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._begin())

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_BOUND_S)

    # What a test asks for.

    def delay(self, seconds, *toward):
        self._set(toward, delay_s=float(seconds))

    def hold(self, *toward):
        self._set(toward, held=True)

    def slice(self, size=1, *toward):
        self._set(toward, piece_bytes=int(size))

    def cut_after(self, count, *toward):
        """Counted from now on, in each connection for itself; 0: at the next byte, which does not arrive."""
        self._set(toward, cut_after=int(count))

    def reset(self):
        self._do(self._reset())

    def refuse(self):
        self._do(self._refuse())

    def heal(self):
        self._set((), delay_s=0.0, held=False, piece_bytes=0, cut_after=None)
        self._do(self._listen())

    def connections(self):
        """How many there are now."""
        return len(self._connections)

    def close(self):
        if not self._thread.is_alive():
            return
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # On the proxy's own thread.

    def _set(self, toward, **values):
        for name in toward:
            if name not in BOTH:
                raise ValueError(f'toward "{SERVER}" or "{CLIENT}", not {name!r}')
        self._do(self._change(toward or BOTH, values))

    async def _change(self, toward, values):
        for name in toward:
            for key, value in values.items():
                setattr(self._ways[name], key, value)
            if "cut_after" in values:
                for one in self._connections:
                    one.passed[name] = 0
        self._changed.set()
        self._changed = asyncio.Event()

    async def _begin(self):
        self._changed = asyncio.Event()
        await self._listen()

    async def _listen(self):
        # Its port stays the same, also after `refuse`.
        while self._listener is None:
            port = self.port or free_port()
            try:
                self._listener = await asyncio.start_server(self._accept, "127.0.0.1", port, reuse_address=True)
                self.port = port
            except OSError:
                if self.port:
                    raise

    async def _refuse(self):
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _reset(self):
        for one in list(self._connections):
            one.cut()

    async def _end(self):
        await self._refuse()
        await self._reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader, writer):
        self.accepted += 1
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._forward((reader, writer), await asyncio.open_connection(*self.target))
        except OSError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _forward(self, client, server):
        one = _connection(client, server)
        for end in one.writers.values():
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(one)
        one.passing = [asyncio.ensure_future(self._pass(one, toward)) for toward in BOTH]
        try:
            await asyncio.gather(*one.passing)
        except (OSError, asyncio.CancelledError):
            one.cut()
        finally:
            self._connections.discard(one)
            for end in one.writers.values():
                end.close()

    async def _pass(self, one, toward):
        way, reader, writer = self._ways[toward], one.readers[toward], one.writers[toward]
        while True:
            try:
                data = await reader.read(PIECE_BYTES)
            except OSError:
                await self._free(way)
                raise
            if way.delay_s > 0:
                await asyncio.sleep(way.delay_s)
            if not data:
                await self._free(way)
                break
            while data:
                await self._free(way)
                left = None if way.cut_after is None else max(way.cut_after - one.passed[toward], 0)
                size = min(way.piece_bytes or len(data), len(data) if left is None else left)
                writer.write(data[:size])
                await writer.drain()
                one.passed[toward] += size
                data = data[size:]
                if left is not None and size >= left:
                    raise ConnectionResetError
                if way.piece_bytes:
                    await asyncio.sleep(0)  # lets it be read alone
        writer.write_eof()

    async def _free(self, way):
        while way.held:
            await self._changed.wait()


def main():
    with tcp_proxy(int(sys.argv[1])) as between:
        print(between.port, flush=True)
        for line in sys.stdin:
            name, *words = line.split()
            if name not in ("delay", "hold", "slice", "cut_after", "reset", "refuse", "heal"):
                print(f"there is no {name}", flush=True)
                continue
            getattr(between, name)(*words)
            print("ok", flush=True)


if __name__ == "__main__":
    sys.exit(main())
