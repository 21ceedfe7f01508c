"""What of an e-mail or news post is worth the few tokens that a transformer reads."""

import re

WORTH_READING = ("subject", "from", "organization")

EMPHASIS = 3
"""How often the subject is repeated where words are counted."""

_FIELD = re.compile(r"([A-Za-z][\w.-]*):[ \t]*(.*)")


def strip_headers(text: str) -> str:
    """Begin a message with its subject, sender and organization, and drop its other headers.

    A text that does not begin with headers (RFC 5322) is returned as it is.
    """
    fields, body = _parse(text)
    if not any(name in fields for name in WORTH_READING):
        return text
    return "\n".join([*(fields[name] for name in WORTH_READING if name in fields), body])


def repeat_subject(text: str) -> str:
    """Repeat the subject of a message behind it: its words say more than others."""
    fields, _ = _parse(text)
    return "\n".join([text, *[fields["subject"]] * EMPHASIS]) if "subject" in fields else text


def _parse(text: str) -> tuple[dict[str, str], str]:
    """Split a message into headers by name, of each the first, and the body; others have none."""
    head, blank, body = re.sub(r"\r\n?", "\n", text).partition("\n\n")
    fields: dict[str, str] = {}
    name = ""
    for line in head.split("\n"):
        if name and line[:1] in {" ", "\t"}:  # a folded line
            fields[name] += " " + line.strip()
            continue
        field = _FIELD.fullmatch(line)
        if field is None:
            return {}, text
        name = field[1].lower()
        fields.setdefault(name, field[2])
    return (fields, body) if blank else ({}, text)
