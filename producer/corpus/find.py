"""Where documents come from: 20 Newsgroups, or a file of the user's own."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

from newsreel.common.errors import UserError
from newsreel.events.document import Document
from producer.corpus import newsgroups, raw_newsgroups, tables, times

NEWSGROUPS = "20newsgroups"


class CorpusError(UserError):
    """What was asked for is no corpus, or has no documents."""


@dataclass(frozen=True)
class Corpus:
    """Documents that can be read again and again, from ``source`` (a CloudEvents source)."""

    source: str
    read: Callable[[], Iterator[Document]]

    def __iter__(self) -> Iterator[Document]:
        return self.read()


def find_corpus(
    name: str,
    *,
    split: str | None,
    remove: Collection[str],
    text_column: str,
    label_column: str | None,
    id_column: str | None,
    time_column: str | None = None,
    dates: Path | None = None,
) -> Corpus:
    """Find a corpus and look at its first document; 20 Newsgroups itself is fetched when read.

    Parameters
    ----------
    name
        ``20newsgroups``, or the path of a table or of a raw bydate folder or archive.
    split
        ``train``, ``test`` or ``all`` of 20 Newsgroups; ``train`` where it is None.
    remove
        Which of headers, footers and quotes the posts of 20 Newsgroups lose.
    text_column, label_column, id_column, time_column
        Columns of a table, as `tables.read` takes them.
    dates
        File of the times of 20 Newsgroups, as `times.read` takes it.

    Raises
    ------
    CorpusError
        There is nothing under that name, or nothing that can be read.
    UserError
        Its beginning can't be read; the message says where and why.
    """
    splits = ("train", "test") if split == "all" else (split or "train",)
    dated = {} if dates is None else times.read(dates.expanduser())
    if name == NEWSGROUPS:
        return Corpus(
            f"newsreel/{NEWSGROUPS}", _timed(partial(newsgroups.read, splits, remove), dated)
        )
    path = Path(name).expanduser()
    if not path.exists():
        raise CorpusError(
            f"corpus {name!r}: there is no such file or folder; give the path of one,"
            f" or {NEWSGROUPS!r} for the corpus of that name"
        )
    if path.is_dir() or path.name.endswith((".tar.gz", ".tgz")):
        raw = partial(raw_newsgroups.read, path, splits, remove)
        corpus = Corpus(f"newsreel/{NEWSGROUPS}", _timed(raw, dated))
    elif path.suffix.lower() in tables.SUFFIXES:
        if split or remove or dates:
            raise CorpusError(
                f"corpus {name!r}: --split, --remove and --dates are for 20 Newsgroups; leave them"
                " out"
            )
        table = partial(tables.read, path, text_column, label_column, id_column, time_column)
        corpus = Corpus(quote(path.name), table)
    else:
        raise CorpusError(
            f"corpus {name!r}: newsreel reads {', '.join(tables.SUFFIXES)} files, and 20 Newsgroups"
            " as a folder or .tar.gz; convert it to one of them"
        )
    next(iter(corpus))  # says so if there is no document, or not as it should be
    return corpus


def _timed(
    read: Callable[[], Iterator[Document]], dated: Mapping[str, datetime]
) -> Callable[[], Iterator[Document]]:
    return (lambda: times.added(read(), dated)) if dated else read
