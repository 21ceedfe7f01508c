"""Prepare messages for the encoder and for counting words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.features.mail import REPETITIONS, repeat_subject, strip_headers

MESSAGE = (
    "Path: a!b\nFrom: Ann <ann@x.org>\nSubject: Re: goals\n and more\nLines: 2\n\nShe\n\nscored."
)


def test_subject_sender_and_organization_come_first() -> None:
    """Other headers are dropped, folded lines are joined, and the body stays as it is."""
    assert strip_headers(MESSAGE) == "Re: goals and more\nAnn <ann@x.org>\nShe\n\nscored."
    assert strip_headers(MESSAGE.replace("\n", "\r\n")) == strip_headers(MESSAGE)
    assert strip_headers("ORGANIZATION: Uni\n\nbody") == "Uni\nbody"


@pytest.mark.parametrize(
    "text",
    [
        "no headers at all",
        "Note: this is a sentence.\nAnd another.\n\nA paragraph.",
        "Subject: no body follows",
        "Lines: 3\nPath: x\n\nnothing worth reading in these headers",
        "",
        "\n\n",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    """A text without headers, or without the relevant ones, is returned unchanged."""
    assert strip_headers(text) == text
    assert repeat_subject(text) == text


def test_repeated_subject() -> None:
    """The subject is appended to the message several times."""
    assert repeat_subject(MESSAGE) == MESSAGE + "\nRe: goals and more" * REPETITIONS
    assert repeat_subject("From: Ann\n\nbody") == "From: Ann\n\nbody"


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text can be prepared; a text without relevant headers is returned unchanged."""
    seen = strip_headers(text)
    assert seen == text or "subject" in text.lower() or "from" in text.lower() or "org" in text
