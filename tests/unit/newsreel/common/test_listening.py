"""Listening on IPv4 and IPv6, and why an address can't be listened to."""

import errno
import socket
from typing import Any

import pytest

from newsreel.common import listening


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("consumer", "consumer:80"),
        ("::", "[::]:80"),
        ("[::1]", "[::1]:80"),
        ("fe80::1%eth0", "[fe80::1%25eth0]:80"),
    ],
)
def test_at(host: str, shown: str) -> None:
    """An IPv6 address has brackets in a URL."""
    assert listening.at(host, 80) == shown


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", ""])
def test_listen(host: str) -> None:
    """Each kind of host can be connected to while it is listened to."""
    with listening.listen(host, 0) as listener:
        socket.create_connection(listener.getsockname()[:2], timeout=5).close()


def complaint(host: str) -> str:
    with pytest.raises(OSError, match=r".") as refused, listening.listen(host, 0):
        pass
    return listening.reason(refused.value, host)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "2001:db8::1", "203.0.113.1", "1::z"])
def test_reason(host: str) -> None:
    """What is wrong is said in words, also where a name does not resolve."""
    found = complaint(host)
    assert len(found) > 10
    assert "IPv6" not in found
    assert "Unknown error" not in found


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_no_ipv6(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no IPv6, the reason says so."""
    create = socket.create_server

    def refuse(*arguments: Any, family: int = socket.AF_INET, **options: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(code, "not here")
        return create(*arguments, family=family, **options)

    monkeypatch.setattr(socket, "create_server", refuse)
    assert complaint("::1") == complaint("::") == "this machine has no IPv6"
    listening.listen("127.0.0.1", 0).close()
