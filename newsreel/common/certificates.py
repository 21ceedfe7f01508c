"""Checks of the certificates that options name."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check(cafile: Path | None, certfile: Path | None, keyfile: Path | None) -> None:
    """Refuse unusable certificates; a Kafka client would report them as an outage.

    Raises
    ------
    ValueError
        A file can't be used; the message names its option.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if cafile is not None:
        with _errors("ssl-cafile", cafile):
            context.load_verify_locations(cafile)
    if certfile is not None:
        with _errors("ssl-certfile", certfile, keyfile):
            # The empty password keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(certfile, keyfile, lambda: "")
    elif keyfile is not None:
        raise ValueError("--ssl-keyfile is the key of --ssl-certfile, which is missing")


@contextmanager
def _errors(option: str, *files: Path | None) -> Iterator[None]:
    """Turn errors of OpenSSL into messages that name the option and its files."""
    try:
        yield
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        names = " and ".join(repr(str(file)) for file in files if file is not None)
        raise ValueError(f"--{option}: {names} can't be used ({reason})") from error
