"""A reverse proxy that serves a program below a path, as `location /newsreel/` of nginx does."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSED = ("authorization", "content-type", "accept")


@contextmanager
def proxy(target: str, prefix: str) -> Iterator[str]:
    """Serve ``target`` below ``prefix``, without the prefix; yields the address of the prefix."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._forward(None)

        def do_POST(self) -> None:
            self._forward(self.rfile.read(int(self.headers["content-length"])))

        def _forward(self, body: bytes | None) -> None:
            if not self.path.startswith(prefix):
                self.send_error(404)
                return
            headers = {name: self.headers[name] for name in PASSED if name in self.headers}
            url = f"{target}/{self.path.removeprefix(prefix)}"
            try:
                answer = urllib.request.urlopen(
                    urllib.request.Request(url, body, headers), timeout=10
                )
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"connection", "transfer-encoding", "date", "server"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{prefix}"
        finally:
            server.shutdown()
            thread.join()
