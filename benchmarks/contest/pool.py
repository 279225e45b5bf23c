"""A database with a pool of connections: each query takes as long as it says once it has one; the others wait in turn.

    python -m benchmarks.contest.pool PORT SIZE

A query is a line with seconds, its answer a dot.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.contest.workloads import POOL_SIZE
from benchmarks.demo_server import START_SECONDS, NotStartedError, Server, free_port, started
from benchmarks.faults.options import ROOT

LONGEST_SECONDS = 60.0


async def serve(port: int, size: int) -> None:
    """Until the process is ended."""
    pool = asyncio.Semaphore(size)  # hands out its places in the order they were asked for

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                async with pool:
                    await asyncio.sleep(min(float(line), LONGEST_SECONDS))
                writer.write(b".")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


@contextmanager
def database(folder: Path) -> Iterator[Server]:
    """Listening by the time this yields."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.contest.pool", str(port), str(POOL_SIZE)]
    with started(command, ROOT, folder / "pool.txt", port) as server:
        wait_until_listening(server)
        yield server


def wait_until_listening(server: Server) -> None:
    """NotStartedError when it does not come up."""
    deadline = time.monotonic() + START_SECONDS
    while server.process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return
        time.sleep(0.02)
    raise NotStartedError(f"the database does not listen:\n{server.log_tail(3)}")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
