"""A proxy that requires TLS and a password or a token, in front of a Kafka that does not."""

import socket
import socketserver
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

USER, PASSWORD = "newsreel", "correct horse battery"

MECHANISMS = ("PLAIN", "OAUTHBEARER")

SASL_HANDSHAKE, SASL_AUTHENTICATE, API_VERSIONS = 17, 36, 18

REFUSED = 58
"""Error code of Kafka for SASL_AUTHENTICATION_FAILED."""


def certificate(folder: Path, host: str = "IP:127.0.0.1") -> tuple[Path, Path]:
    """Make a self-signed certificate and return the files of certificate and key."""
    pem, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=newsreel test", "-addext", f"subjectAltName={host}"),
            *("-days", "2", "-keyout", key, "-out", pem),
        ],
        check=True,
        capture_output=True,
    )
    return pem, key


class Gate(socketserver.ThreadingTCPServer):
    """Proxy that terminates TLS, checks SASL, and replaces the broker's port by its own.

    ``requested`` has the numbers of the Kafka APIs whose requests were passed to the broker.
    ``token`` is the token of OAUTHBEARER that is valid now.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, broker: str, pem: Path, key: Path, *, sasl: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        host, _, port = broker.rpartition(":")
        self.broker = (host, int(port))
        self.port = int(self.server_address[1])
        self.sasl = sasl
        self.requested: set[int] = set()
        self.token = ""
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(pem, key)

    def rewritten(self, answer: bytes) -> bytes:
        """Replace the broker's port behind each occurrence of its host name by the gate's."""
        host = self.broker[0].encode()
        theirs, ours = (host + struct.pack(">i", port) for port in (self.broker[1], self.port))
        return answer.replace(theirs, ours)


@contextmanager
def gate(broker: str, pem: Path, key: Path, *, sasl: bool = True) -> Iterator[Gate]:
    """Start a gate to a broker on the loopback interface, and stop it when the block ends."""
    with Gate(broker, pem, key, sasl=sasl) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield opened
        finally:
            opened.shutdown()
            thread.join()


class _Connection(socketserver.BaseRequestHandler):
    """Passes the requests and responses of one client, after its authentication."""

    server: Gate
    QUIET: ClassVar = (OSError, EOFError)

    def handle(self) -> None:
        try:
            client = self.server.tls.wrap_socket(self.request, server_side=True)
            with client, socket.create_connection(self.server.broker) as broker:
                if self._authenticate(client, broker):
                    threading.Thread(
                        target=self._pass_responses, args=(broker, client), daemon=True
                    ).start()
                    while True:
                        frame = _frame(client)
                        self.server.requested.add(int.from_bytes(frame[:2]))
                        _send(broker, frame)
        except self.QUIET:
            pass

    def _authenticate(self, client: ssl.SSLSocket, broker: socket.socket) -> bool:
        while self.server.sasl:
            frame = _frame(client)
            key, version = struct.unpack(">hh", frame[:4])
            correlation = frame[4:8]
            if key == API_VERSIONS:
                _send(broker, frame)
                _send(client, self.server.rewritten(_frame(broker)))
            elif key == SASL_HANDSHAKE:
                names = b"".join(struct.pack(">h", len(x)) + x.encode() for x in MECHANISMS)
                _send(client, correlation + struct.pack(">hi", 0, len(MECHANISMS)) + names)
            elif key == SASL_AUTHENTICATE:
                given = frame.rstrip(b"\0")
                right = given.endswith(
                    (
                        f"\0{USER}\0{PASSWORD}".encode(),
                        f"n,,\x01auth=Bearer {self.server.token or object()}\x01\x01".encode(),
                    )
                )
                _send(
                    client, correlation + _authenticate_response(version, 0 if right else REFUSED)
                )
                if right:
                    return True
            else:
                return False
        return True

    def _pass_responses(self, broker: socket.socket, client: ssl.SSLSocket) -> None:
        try:
            while True:
                _send(client, self.server.rewritten(_frame(broker)))
        except self.QUIET:
            client.close()


def _authenticate_response(version: int, error: int) -> bytes:
    """Encode a SaslAuthenticateResponse with an error code and otherwise empty fields."""
    if version >= 2:
        return b"\0" + struct.pack(">hBBqB", error, 0, 1, 0, 0)
    return struct.pack(">hhi", error, -1, 0) + (struct.pack(">q", 0) if version else b"")


def _frame(source: socket.socket) -> bytes:
    (length,) = struct.unpack(">i", _exactly(source, 4))
    return _exactly(source, length)


def _exactly(source: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        part = source.recv(length - len(found))
        if not part:
            raise EOFError
        found += part
    return bytes(found)


def _send(target: socket.socket, frame: bytes) -> None:
    target.sendall(struct.pack(">i", len(frame)) + frame)
