"""A hub of one checkpoint on this machine, which answers as the real one does and remembers what it was asked."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40


@dataclass
class Hub:
    """Where the hub is reached, and (method, path) of every question."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)

    def fetched(self) -> list[str]:
        """Names of the files whose contents were sent."""
        return sorted(path.rsplit("/", 1)[1] for method, path in self.asked if method == "GET" and "/resolve/" in path)


@contextlib.contextmanager
def serve_hub(name: str, files: dict[str, bytes]) -> Iterator[Hub]:
    """Offer one checkpoint under an id."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(body=True)

        def do_HEAD(self) -> None:
            self.reply(body=False)

        def reply(self, *, body: bool) -> None:
            path = self.path.split("?")[0]
            hub.asked.append((self.command, path))
            etag, text = "", self.describe(path)
            if text is None and path.startswith(f"/{name}/resolve/{COMMIT}/") and Path(path).name in files:
                text = files[Path(path).name]
                etag = hashlib.sha1(text).hexdigest()
            self.send_response(404 if text is None else 200)
            for header, value in {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}.items() if etag else ():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(text or b"")))
            self.end_headers()
            if body and text:
                self.wfile.write(text)

        def describe(self, path: str) -> bytes | None:
            if path == f"/api/models/{name}/revision/main" or path == f"/api/models/{name}/revision/{COMMIT}":
                return json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode()
            if path == f"/api/models/{name}/tree/{COMMIT}":
                rows = [
                    {"type": "file", "path": file, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for file, data in files.items()
                ]
                return json.dumps(rows).encode()
            return None

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
