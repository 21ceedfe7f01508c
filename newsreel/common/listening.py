"""Listening on an address of this machine, IPv4 or IPv6."""

import errno
import ipaddress
import os
import socket


def without_brackets(host: str) -> str:
    """Return a host as sockets take it: ``::1`` for ``[::1]``, as URLs write it."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def at(host: str, port: int) -> str:
    """Return a host and a port as URLs write them.

    >>> at("::1", 8000), at("localhost", 8000)
    ('[::1]:8000', 'localhost:8000')
    """
    host = without_brackets(host)
    return f"[{host.replace('%', '%25')}]:{port}" if ":" in host else f"{host}:{port}"


def resolve(host: str) -> tuple[socket.AddressFamily, str]:
    """Return family and address of a host, IPv4 if it has both.

    Parameters
    ----------
    host
        Address or name; nothing is every IPv4 address.

    Raises
    ------
    OSError
        The host has no address; `reason` says why.
    """
    host = without_brackets(host) or "0.0.0.0"  # noqa: S104 - as the user says
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "no such host name") from error
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, str(address[0])


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; ``::`` takes IPv4 as well, where the system can do both.

    Parameters
    ----------
    host
        Address or name.
    port
        Port; 0 picks a free one.

    Raises
    ------
    OSError
        The address can't be listened to; `reason` says why.
    """
    family, address = resolve(host)
    both = address == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((address, port), family=family, dualstack_ipv6=both)


def reason(error: OSError, host: str) -> str:
    """Say why an address can't be listened to."""
    missing = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
    if error.errno in missing and _is_ipv6(host) and not _has_ipv6():
        return "this machine has no IPv6"
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(without_brackets(host)).version == 6  # noqa: PLR2004
    except ValueError:
        return False


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
