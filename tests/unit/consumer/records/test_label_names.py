"""Labels have one spelling, and the names that a file gives them."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from consumer.records.label_names import LabelMapError, LabelNames, SpellingCheck


def read(folder: Path, content: str | bytes) -> LabelNames:
    file = folder / "map.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return LabelNames.read(file)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("billing ", "billing"),
        ("\tbilling\n", "billing"),
        ("\u200bbilling\ufeff", "billing"),
        ("\u00a0billing\u3000", "billing"),
        ("billing questions", "billing questions"),
        ("Billing", "Billing"),
        ("cafe\u0301", "caf\u00e9"),
        ("", None),
        (" ", None),
        ("\u200b \ufeff", None),
        ("NaN", "NaN"),
    ],
)
def test_spelling(label: str, name: str | None) -> None:
    """Labels are trimmed and in NFC; blank ones are none; case is kept."""
    assert LabelNames().of(label) == name


@given(st.text())
def test_any_label(label: str) -> None:
    """The name of a name is itself; compositions and blanks around a label do not count."""
    names = LabelNames()
    name = names.of(label)
    assert names.of(f" {label}\n") == name
    assert names.of(unicodedata.normalize("NFD", label)) == name
    if name is not None:
        assert names.of(name) == name


def test_map(tmp_path: Path) -> None:
    """A file renames, merges and drops labels, in whatever spelling it names them."""
    content = {
        "Billing": "billing",
        " billing questions ": " billing",
        "test": None,
        "cafe\u0301": "c",
    }
    names = read(tmp_path, "\ufeff" + json.dumps(content))
    assert names.of(" Billing") == names.of("billing questions") == names.of("billing") == "billing"
    assert names.of("test") is None
    assert names.of("caf\u00e9") == "c"
    assert names.of("other") == "other"


def test_names_are_not_renamed_again(tmp_path: Path) -> None:
    """A file can swap two labels."""
    names = read(tmp_path, '{"a": "b", "b": "a"}')
    assert [names.of("a"), names.of("b")] == ["b", "a"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "Expecting value"),
        ("a,b\n", "Expecting value"),
        ('{"a": "b",}', "Expecting property name"),
        ("[" * 100_000, "recursion"),
        ("[]", "holds no JSON object"),
        ('"a"', "holds no JSON object"),
        ('[{"a": "b"}]', "holds no JSON object"),
        ('{"a": 3}', "the new name of 'a' is no string, or blank"),
        ('{"a": ""}', "the new name of 'a' is no string, or blank"),
        ('{"a": "\\u200b "}', "the new name of 'a' is no string, or blank"),
        ('{"a": ["b"]}', "the new name of 'a'"),
        ('{"a": {"b": "c"}}', "the new name of 'a'"),
        ('{" ": "b"}', "a name is blank"),
        (json.dumps({"a": "b" * 257}), "257 characters, at most 256"),
        ('{"a": "b", "a": "c"}', "'a' is named twice"),
        ('{"a": "b", "a ": null}', "'a ' is named twice"),
        ('{"cafe\\u0301": "b", "caf\\u00e9": "c"}', "is named twice"),
    ],
)
def test_wrong_map(tmp_path: Path, content: str, says: str) -> None:
    """Each error is one line with the file, the problem and the right form."""
    with pytest.raises(LabelMapError) as error:
        read(tmp_path, content)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert str(tmp_path / "map.json") in message
    assert says in message
    assert '{"Billing": "billing", "test": null}' in message


def test_same_name_twice(tmp_path: Path) -> None:
    """A label that is named twice with one new name is no error."""
    assert read(tmp_path, '{"a": "b", " a": "b"}').of("a") == "b"


def test_unreadable_map(tmp_path: Path) -> None:
    """A file that can't be read is an error that names the file and what to name instead."""
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(LabelMapError, match=r"can't be read .* name a file of JSON") as error:
            LabelNames.read(path)
        assert str(path) in str(error.value)
    with pytest.raises(LabelMapError, match=r"can't be read .* UTF-8"):
        read(tmp_path, '{"é": "b"}'.encode("latin-1"))


def test_no_map() -> None:
    """Without a file labels keep their names."""
    assert LabelNames.read(None).of("a") == "a"


def test_spellings_that_differ() -> None:
    """Labels that differ in case or blanks only are warned of once."""
    check = SpellingCheck()
    with capture_logs() as log:
        for label in ("Billing", "bug", "Billing", "billing", "BILLING", "bil ling", "bugs"):
            check.observe(label)
    assert [line["labels"] for line in log] == [["Billing", "billing"]]
    assert "--label-map" in log[0]["event"]
