"""A Maven repository on the loopback address that lies as told."""

import contextlib
import http.server
import threading
from collections import Counter

from sandbox.parts.ports import HOST

PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


class Repository(http.server.ThreadingHTTPServer):
    """`files` by their path below the server's root."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__((HOST, 0), Handler)
        self.files = dict(files)
        self.asked = Counter()
        self.busy_times = 0
        self.cut_times = 0

    @property
    def url(self):
        return f"http://{HOST}:{self.server_address[1]}/maven2"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        repository = self.server
        repository.asked[self.path] += 1
        body = repository.files.get(self.path)
        if repository.asked[self.path] <= repository.busy_times:
            self.send_error(503)
            return
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = repository.asked[self.path] <= repository.cut_times
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(files, monkeypatch):
    """A repository that downloads come from while this lasts."""
    with Repository(files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        for name in PROXIES:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("IDHUB_AWS_MAVEN_URL", server.url + "/")
        yield server
        server.shutdown()
        thread.join()
