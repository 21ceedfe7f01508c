"""The report on a sample of records."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kafka_records import KafkaRecord, record, records

from consumer.records.config import RecordConfig
from consumer.records.findings import Findings, script_of
from consumer.settings import InspectSettings
from newsreel.common import cli


def report(
    found: Sequence[KafkaRecord],
    config: RecordConfig = RecordConfig(),  # noqa: B008 - immutable
    command: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the lines by their first words, and the command."""
    lines = list(Findings("tickets", found, config, command or {}).lines())
    result: dict[str, str] = {}
    name = ""
    for line in lines:
        if line.startswith("python"):
            result["command"] = line
            continue
        name = line[:11].strip() or name
        result[name] = f"{result[name]}\n{line[11:]}" if name in result else line[11:]
    return result


def ticket(number: int) -> dict[str, Any]:
    return {
        "body": f"the app {number} crashes",
        "queue": ("a", "b")[number % 2],
        "created": f"2026-01-{number + 1:02} 12:00",
    }


def test_report() -> None:
    """Values, keys, headers, texts, labels, ids, times and the command are shown."""
    found = [record(ticket(n), b"\0\0\0%c" % n, trace=b"x") for n in range(20)]
    lines = report([each._replace(offset=n) for n, each in enumerate(found)])
    assert lines["values"] == "JSON objects with the fields body, queue, created"
    assert lines["keys"] == (
        "20 of 20 records, 20 different, 20 of them bytes that are no text, so no ids"
    )
    assert lines["headers"] == "trace (20)"
    assert lines["texts"] == "in body: 17 to 18 characters, median 18; letters: Latin 100 %"
    assert lines["labels"] == "in queue: 2 labels of 20 of 20 documents: a (10), b (10)"
    assert lines["ids"] == "from key, event or position: all different"
    assert lines["times"] == "in created: 20, 2026-01-01 12:00 to 2026-01-20 12:00 UTC"
    assert lines["readable"].startswith("20 of 20 records with the options below")
    assert lines["command"] == (
        "python -m consumer --topic tickets --text-field body --label-field queue"
        " --time-field created"
    )


def test_given_options_are_kept(tmp_path: Path) -> None:
    """Options that were given are used and printed; the others are found."""
    names = tmp_path / "map.json"
    names.write_text('{"a": "first"}')
    config = RecordConfig(label="created", label_map=names)
    given = ["--label-map", str(names), "--bootstrap-servers", "kafka:9092"]
    settings = cli.parse(InspectSettings, given)
    lines = report(records(map(ticket, range(20))), config, settings.command)
    words = shlex.split(lines["command"])
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--label-field"] == "created"
    assert options["--text-field"] == "body"
    assert options["--label-map"] == str(names)
    assert options["--bootstrap-servers"] == "kafka:9092"
    assert "20 labels of 20" in lines["labels"]
    lines = report(records(map(ticket, range(20))), RecordConfig(label_map=names))
    assert "b (10), first (10)" in lines["labels"] or "first (10), b (10)" in lines["labels"]


def test_repeated_ids() -> None:
    """Ids that repeat are said, with an example and what to do."""
    found = [record(ticket(n), b"c%d" % (n % 3))._replace(offset=n) for n in range(9)]
    lines = report(found)
    assert "--id-field none" in lines["command"]
    assert lines["ids"] == "from the position: all different"
    lines = report(found, RecordConfig(id="key"))
    assert lines["ids"].startswith("from key: 3 repeat, such as 'c0': late labels can't be joined")


def test_what_is_left_out() -> None:
    """Tombstones, times that can't be understood, and unreadable records are counted."""
    found = records([ticket(0), ticket(1) | {"created": "soon"}, {"body": ["x"]}, ticket(3)])
    lines = report([*found, KafkaRecord(None, b"7")], RecordConfig(time="created"))
    assert lines["times"].endswith("UTC; 1 can't be understood, and are left out")
    assert lines["readable"].startswith(
        "3 of 4 records with the options below; 1 tombstones are skipped\n"
        "1 times: text: 'body' is a list, not a string"
    )


def test_no_labels() -> None:
    """Documents without labels are said to teach nothing."""
    lines = report(records({"text": f"text {n}"} for n in range(5)))
    assert lines["labels"].startswith("none found: documents would be predicted, and nothing")
    assert "--late-labels" in lines["labels"]


def test_many_labels() -> None:
    """Of many labels the first are shown."""
    lines = report(records({"text": f"text {n}", "label": f"l{n}"} for n in range(25)))
    assert lines["labels"].endswith(" and 5 more")


def test_unreadable() -> None:
    """Where nothing can be read, no command is printed, but what helps."""
    lines = report([KafkaRecord(b"\x1f\x8b\x08\0")] * 3)
    assert "command" not in lines
    assert "compression.type" in lines["values"]
    assert "0 of 3 records" in lines["readable"]


def test_one_line_each() -> None:
    """Line breaks and control characters of records do not reach the terminal."""
    value = {"text": "a", "label": "x\ny\x1b[2J", "n\x1b[2J": "\x1b[2J"}
    found = record(value)._replace(headers=[("h\n\x1b[2J", b"x")])
    lines = list(Findings("t", [found], RecordConfig(), {}).lines())
    assert not any("\x1b" in line or len(line.splitlines()) > 1 for line in lines)


def test_scripts() -> None:
    """Scripts are named as Unicode names them."""
    letters = {"a": "Latin", "я": "Cyrillic", "ア": "Katakana", "文": "Cjk", "ع": "Arabic"}
    assert {letter: script_of(letter) for letter in letters} == letters
