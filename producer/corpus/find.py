"""Find a corpus by its name: 20 Newsgroups, or a file of the user."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

from newsreel.common.errors import UserError
from newsreel.events.document import Document
from producer.corpus import newsgroups, raw_newsgroups, times
from producer.corpus.tables.columns import ColumnNames
from producer.corpus.tables.table import Format, Table

NEWSGROUPS = "20newsgroups"


class CorpusError(UserError):
    """There is no corpus of that name, or the options are for another kind of corpus."""


@dataclass(frozen=True)
class Corpus:
    """Documents that can be read several times.

    Parameters
    ----------
    source
        CloudEvents source of the documents.
    read
        Returns an iterator over the documents.
    """

    source: str
    read: Callable[[], Iterator[Document]]

    def __iter__(self) -> Iterator[Document]:
        return self.read()


def find_corpus(
    name: str,
    *,
    split: str | None,
    remove: Collection[str],
    columns: ColumnNames = ColumnNames(),  # noqa: B008 - it can't be changed
    form: Format = Format(),  # noqa: B008 - it can't be changed
    stop_at_bad_row: bool = False,
    dates: Path | None = None,
) -> Corpus:
    """Find a corpus and read its first document to check it.

    20 Newsgroups is downloaded only when the returned corpus is read.

    Parameters
    ----------
    name
        ``20newsgroups``, or the path of a table, or of a folder or archive of raw posts.
    split
        ``train``, ``test`` or ``all`` of 20 Newsgroups; None for ``train``.
    remove
        Parts to remove from the posts of 20 Newsgroups: some of headers, footers and quotes.
    columns, form, stop_at_bad_row
        How a table is read, arguments of `Table`.
    dates
        File of the times of 20 Newsgroups, argument of `times.read`.

    Raises
    ------
    CorpusError
        There is no corpus of that name, or the options are for another kind of corpus.
    UserError
        The first document can't be read; the message says where and why.
    """
    splits = ("train", "test") if split == "all" else (split or "train",)
    known_times = {} if dates is None else times.read(dates.expanduser())
    if name == NEWSGROUPS:
        return _newsgroups(partial(newsgroups.read, splits, remove), known_times)
    path = Path(name).expanduser()
    if not path.exists():
        raise CorpusError(
            f"corpus {name!r}: no such file or folder; give the path of one, or {NEWSGROUPS!r}"
        )
    if path.is_dir() or path.name.endswith((".tar.gz", ".tgz")):
        corpus = _newsgroups(partial(raw_newsgroups.read, path, splits, remove), known_times)
    elif split or remove or dates:
        raise CorpusError(
            f"corpus {name!r}: --split, --remove and --dates are for 20 Newsgroups; leave them out"
        )
    else:
        table = Table(path, columns, form, stop=stop_at_bad_row)
        table.check()
        return Corpus(quote(path.name), table.__iter__)
    next(iter(corpus))  # raises an error if there is no document, or a broken one
    return corpus


def _newsgroups(
    read: Callable[[], Iterator[Document]], known_times: Mapping[str, datetime]
) -> Corpus:
    """Return 20 Newsgroups, with the times of its documents where they are known."""
    timed = (lambda: times.add(read(), known_times)) if known_times else read
    return Corpus(f"newsreel/{NEWSGROUPS}", timed)
