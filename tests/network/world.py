"""A small internet on this machine: names that resolve to public addresses, and servers that stand behind them."""

import http.server
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import anyio.abc

from harness.mux import aside
from harness.network.domains import Domains
from harness.network.gate import Ask, Gate
from harness.network.wire import Wire, system_dial

ADDRESS = "93.184.216.34"


@dataclass
class World:
    """`dns`: the answers, one after the other where there are several lists. `ports`: where a port leads here."""

    dns: dict[str, list[list[str]]] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    async def resolve(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        answers = self.dns.get(name, [[]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def dial(self, address: str, port: int):
        self.dialled.append((address, port))
        return await system_dial("127.0.0.1", self.ports.get(port, 1))

    @property
    def wire(self) -> Wire:
        return Wire(self.resolve, self.dial)

    def name(self, *names: str) -> "World":
        self.dns.update({name: [[ADDRESS]] for name in names})
        return self

    @asynccontextmanager
    async def gate(
        self, allowed: Sequence[str] = (), *, ask: Ask | None = None, denied: Sequence[str] = ()
    ) -> AsyncIterator[Gate]:
        listed = Domains.parse(allowed, denied)
        async with anyio.create_task_group() as tasks:
            yield Gate(lambda: listed, partial(aside, tasks), ask, self.wire)
            tasks.cancel_scope.cancel()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a directory; `seen` holds the heads that came."""

    seen: list[str] = []  # noqa: RUF012  one for each server, below
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.seen.append(f"{self.requestline}\n{self.headers}")
        super().do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(f"{self.requestline}\n{self.headers}{body.decode()}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def guess_type(self, path):  # what indexes and registries demand
        return "text/html" if str(path).endswith("/") or "." not in Path(path).name else super().guess_type(path)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None: ...  # a client that leaves is no error here


@contextmanager
def serving(directory: Path, certificate: Path | None = None) -> Iterator[tuple[int, list[str]]]:
    """A file server's port, and the heads of the requests it got."""
    kind = type("Served", (Handler,), {"seen": []})
    server = Server(("127.0.0.1", 0), partial(kind, directory=str(directory)))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port, kind.seen  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(directory: Path, *names: str) -> Path:
    """A certificate for these names that is its own authority; its key lies beside it."""
    made = directory / "ca.pem"
    names_ = ",".join(f"DNS:{name}" for name in names)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=a test", "-addext", f"subjectAltName={names_}", "-keyout", made.with_suffix(".key"), "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return made
