"""Say what a sample of records holds, and which options read it."""

import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from consumer.records.config import RecordConfig
from consumer.records.fields import key_as_id
from consumer.records.formats import ValueFormat, build_format
from consumer.records.label_names import LabelNames
from consumer.records.places import Places
from consumer.records.reader import Ignored, KafkaRecord, RecordReader
from consumer.records.recognition import (
    Recognition,
    command_line,
    recognize,
    recognize_objects,
)
from newsreel.events.document import Document
from newsreel.events.errors import DecodeError, one_line

SHOWN_LABELS = 20

SCRIPT_CHARACTERS = 200
"""Characters of each text whose scripts are counted."""

FLAGS = {
    "--format": "format",
    "--text-field": "text",
    "--label-field": "label",
    "--id-field": "id",
    "--time-field": "time",
}
"""Fields of `RecordConfig` by their options."""


DEFAULT_FORMAT = ("--format", "json")
"""The one option that is never None, where it was not given."""


class Findings:
    """What records hold, read with the options that were given, and others that fit.

    Parameters
    ----------
    topic
        Name of the topic, for the command that is printed.
    records
        Sample of the topic's records.
    config
        Options that were given; they are kept as they are.
    command
        Other options of the command that is printed.
    """

    def __init__(
        self,
        topic: str,
        records: Sequence[KafkaRecord],
        config: RecordConfig,
        command: Mapping[str, str],
    ) -> None:
        self._topic = topic
        self._records = records
        self._given = {
            option: value
            for option, name in FLAGS.items()
            if (value := getattr(config, name)) is not None and (option, value) != DEFAULT_FORMAT
        }
        value_format = build_format(config.format, config.registry)
        self._recognition = self._recognize(config, value_format)
        self._options = {**self._recognition.options, **self._given}
        self._command = command
        config = replace(config, **{FLAGS[name]: value for name, value in self._options.items()})
        self._places = Places.of(config)
        self._read(
            RecordReader(
                self._places,
                value_format if "--format" in self._given else build_format(config.format, None),
                LabelNames.read(config.label_map),
                strict=config.strict,
            )
        )

    def _recognize(self, config: RecordConfig, value_format: ValueFormat) -> Recognition:
        if config.format in {"avro", "json-registry"}:
            name = f"{config.format} of a schema registry"
            return recognize_objects(self._records, value_format, {}, name)
        return recognize(self._records)

    def _read(self, reader: RecordReader) -> None:
        self._documents: list[Document] = []
        self._ignored: Counter[Ignored] = Counter()
        self._refused: Counter[str] = Counter()
        for record in self._records:
            try:
                reading = reader.read(record)
            except DecodeError as error:
                self._refused[str(error)] += 1
                continue
            if reading.ignored is not None:
                self._ignored[reading.ignored] += 1
            if reading.document is not None:
                self._documents.append(reading.document)

    @property
    def advice(self) -> str:
        """The options that read records, or why none do, in one line."""
        if self._documents:
            return f"start with {command_line(self._options) or 'the default options'}"
        refused = next(iter(reason for reason, _ in self._refused.most_common(1)), "")
        return self._recognition.problem or refused

    @property
    def description(self) -> str:
        """What the values are."""
        return self._recognition.description

    def lines(self) -> Iterator[str]:
        """Return the report, line by line."""
        yield from map(one_line, self._report())
        if self._documents:
            options = {"--topic": self._topic, **self._command, **self._options}
            yield f"python -m consumer {command_line(options)}"

    def _report(self) -> Iterator[str]:
        yield f"values     {self._recognition.description}"
        if self._recognition.problem:
            yield f"           {self._recognition.problem}"
        yield f"keys       {self._keys()}"
        headers = Counter(name for record in self._records for name in dict(record.headers))
        yield "headers    " + (
            ", ".join(f"{name} ({n})" for name, n in headers.most_common(12)) or "none"
        )
        if self._documents:
            yield f"texts      {self._texts()}"
            yield f"labels     {self._labels()}"
            yield f"ids        {self._ids()}"
            yield f"times      {self._times()}"
        yield f"readable   {self._readable()}"
        for reason, count in self._refused.most_common(3):
            yield f"           {count} times: {reason}"
        if self._documents:
            yield ""

    def _keys(self) -> str:
        keys = [record.key for record in self._records if record.key is not None]
        usable = [key for key in map(key_as_id, keys) if key is not None]
        if not keys:
            return "none"
        found = f"{len(keys)} of {len(self._records)} records, {len(set(keys))} different"
        if len(usable) < len(keys):
            found += f", {len(keys) - len(usable)} of them bytes that are no text, so no ids"
        return found

    def _texts(self) -> str:
        place = ", ".join(place.name for place in self._places.text)
        lengths = [len(document.text) for document in self._documents]
        scripts: Counter[str] = Counter()
        for document in self._documents:
            scripts.update(
                script_of(each) for each in document.text[:SCRIPT_CHARACTERS] if each.isalpha()
            )
        total = max(1, scripts.total())
        shares = ", ".join(f"{name} {100 * n / total:.0f} %" for name, n in scripts.most_common(4))
        return (
            f"in {place}: {min(lengths)} to {max(lengths)} characters, median"
            f" {statistics.median(lengths):.0f}; letters: {shares or 'none'}"
        )

    def _labels(self) -> str:
        labels = Counter(d.label for d in self._documents if d.label is not None)
        if not labels:
            return (
                "none found: documents would be predicted, and nothing learned; name their place"
                " with --label-field, or start with --late-labels if they arrive on another topic"
            )
        shown = ", ".join(f"{name} ({count})" for name, count in labels.most_common(SHOWN_LABELS))
        more = f" and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
        return (
            f"in {self._places.label.name}: {len(labels)} labels of {labels.total()} of"
            f" {len(self._documents)} documents: {shown}{more}"
        )

    def _ids(self) -> str:
        ids = Counter(document.id for document in self._documents)
        repeated = [id_ for id_, count in ids.items() if count > 1]
        place = "the position" if self._places.position_is_id else "key, event or position"
        if self._places.id is not None:
            place = self._places.id.name
        if not repeated:
            return f"from {place}: all different"
        return (
            f"from {place}: {len(repeated)} repeat, such as {repeated[0][:60]!r}: late labels can't"
            " be joined by them; name a unique one with --id-field, or none"
        )

    def _times(self) -> str:
        known = sorted(document.time for document in self._documents if document.time is not None)
        bad = self._ignored[Ignored.TIME]
        found = f"{bad} can't be understood, and are left out" if bad else ""
        if not known:
            return found or "none"
        span = f"in {self._places.time.name}: {len(known)}, {known[0]:%Y-%m-%d %H:%M} to"
        return f"{span} {known[-1]:%Y-%m-%d %H:%M} UTC" + (f"; {found}" if found else "")

    def _readable(self) -> str:
        tombstones = self._ignored[Ignored.TOMBSTONE]
        skipped = f"; {tombstones} tombstones are skipped" if tombstones else ""
        usable = len(self._records) - tombstones
        return f"{len(self._documents)} of {usable} records with the options below{skipped}"


def script_of(letter: str) -> str:
    """Return the script of a letter, as Unicode names it, such as Latin or Cyrillic."""
    return unicodedata.name(letter, "other").split()[0].split("-")[0].capitalize()
