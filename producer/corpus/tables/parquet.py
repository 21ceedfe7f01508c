"""Rows of a Parquet file. duckdb reads it: the smallest reader that streams rows with types."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from producer.corpus.tables.rows import Row, TableError

BATCH = 1000


class ParquetRows:
    """The rows of a Parquet file; class numbers of Hugging Face are replaced by their names.

    Parameters
    ----------
    path
        Path of the file.

    Raises
    ------
    TableError
        The file is damaged.
    """

    place = "row"

    description = "Parquet"

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with duckdb.connect() as connection:
                self.names = [
                    column[0]
                    for column in connection.execute(
                        "select * from read_parquet(?) limit 0", [str(path)]
                    ).description
                    or ()
                ]
                metadata = connection.execute(
                    "select value from parquet_kv_metadata(?) where key = 'huggingface'::blob",
                    [str(path)],
                ).fetchone()
        except duckdb.Error as error:
            raise _damaged(path, error) from error
        self._classes = _classes(metadata[0]) if metadata else {}
        if self._classes:
            self.description = f"Parquet, names of classes in {', '.join(self._classes)}"

    def sample(self) -> Sequence[Sequence[Any]]:
        """Return nothing: the names say what the columns hold."""
        return ()

    def read(self, wanted: Sequence[int]) -> Iterator[Row]:
        """Stream the cells of some columns, which are given by their places in `names`."""
        columns = ", ".join(f"#{place + 1}" for place in wanted)
        classes = [self._classes.get(self.names[place]) for place in wanted]
        number = 0
        try:
            with duckdb.connect(config={"threads": 1}) as connection:
                connection.execute(
                    f"select {columns} from read_parquet(?, binary_as_string=true)",  # noqa: S608
                    [str(self._path)],
                )
                while rows := connection.fetchmany(BATCH):
                    for row in rows:
                        number += 1
                        yield number, [_named(*pair) for pair in zip(row, classes, strict=True)]
        except duckdb.Error as error:
            raise _damaged(self._path, error) from error


def _classes(metadata: bytes) -> dict[str, list[str]]:
    """Return the names of classes by column, from the metadata of Hugging Face's datasets."""
    try:
        features = json.loads(metadata)["info"]["features"]
        return {
            name: list(map(str, feature["names"]))
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _named(value: object, classes: Sequence[str] | None) -> object:
    if classes is None or not isinstance(value, int):
        return value
    return classes[value] if 0 <= value < len(classes) else None


def _damaged(path: Path, error: Exception) -> TableError:
    reason = str(error).splitlines()[0]
    return TableError(f"{path} can't be read as Parquet ({reason}); get a new copy of it")
