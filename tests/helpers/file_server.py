"""A local server with given answers, faults among them, and the files that it serves."""

import hashlib
import http.server
import socket
import struct
import threading
from collections import Counter
from contextlib import contextmanager, suppress

from scripts.common.config.figures import File

DATA = bytes(range(256)) * 2000
HALF = DATA[: len(DATA) // 2]
OTHER = b"another" * 1000
QUOTA = (  # Google Drive
    b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>"
    b"Sorry, you can't view or download this file at this time.</body></html>"
)
HTML = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def row(url: str, data: bytes | None = None, **fields) -> File:
    """Return the row of toy/cells.gz, with the checksums of `data` if given."""
    if data is not None:
        fields = {"bytes": len(data), "sha256": sha256(data)}
    return File(study="toy", file="cells.gz", url=url, **fields)


def make_mirror(folder, data: bytes, sums: str | None):
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "cells.gz").write_bytes(data)
    if sums is not None:
        (folder / "SHA256SUMS").write_text(sums)
    return str(folder)


@contextmanager
def serving(answers):
    """Run a server; `answers[path]` is a list of (status, headers, body) or of functions.

    Each request takes the next answer, the last one stays. Yields (base URL, requests by path).
    """
    seen = Counter()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            todo = answers.get(self.path, [(404, {}, b"")])
            answer = todo[min(seen[self.path], len(todo) - 1)]
            seen[self.path] += 1
            with suppress(ConnectionError):  # the client may have closed it
                if callable(answer):
                    answer(self)
                else:
                    self.start(*answer)

        def start(self, status=200, headers=None, body=HALF, size=None):
            """Send a whole answer or, with a larger `size`, its beginning."""
            self.send_response(status)
            length = {"Content-Length": str(size or len(body))}
            for key, value in (length | (headers or {})).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

    with local_server(Handler) as port:
        yield f"http://127.0.0.1:{port}", seen


@contextmanager
def local_server(handler):
    """Run a server with the handler of its requests, which may wait for its end; yield the port."""
    handler.log_message = lambda *args: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.over = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def for_browsers(handler):
    """Send the file to a browser, 403 to all others."""
    if handler.headers["User-Agent"].startswith("Mozilla/"):
        handler.start(body=DATA)
    else:
        handler.start(403, body=b"no")


def reset(handler):
    """Send half of the file and reset the connection."""
    handler.start(size=len(DATA))
    reset_at_once(handler)


def reset_at_once(handler):
    """Reset the connection instead of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket(fileno=handler.connection.detach()).close()


def stall(handler):
    """Send half of the file, and then nothing."""
    handler.start(size=len(DATA))
    handler.server.over.wait()


def silence(handler):
    """Send nothing at all."""
    handler.server.over.wait()
