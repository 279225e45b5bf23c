"""A worker class of another package: it never calls Gunicorn's request hooks."""

import select
import time

from gunicorn.workers.base import Worker


class HomeMadeWorker(Worker):
    """Accepts one connection at a time and answers it after half a second."""

    def run(self):
        """Serve until told to leave."""
        for listener in self.sockets:
            listener.setblocking(False)
        while self.alive:
            self.notify()
            ready, _, _ = select.select(self.sockets, [], [], 0.5)
            for listener in ready:
                self._answer(listener)

    def _answer(self, listener):
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        with client:
            client.recv(4096)
            time.sleep(0.5)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
