"""Prepare e-mails and news posts: choose the headers that help to classify a message."""

import re

KEPT_HEADERS = ("subject", "from", "organization")

REPETITIONS = 3
"""Number of times that the subject is repeated where words are counted."""

_HEADER = re.compile(r"([A-Za-z][\w.-]*):[ \t]*(.*)")


def strip_headers(text: str) -> str:
    """Drop the headers of a message, except its subject, sender and organization.

    A text that does not begin with headers (RFC 5322) is returned as it is.
    """
    headers, body = _parse(text)
    if not any(name in headers for name in KEPT_HEADERS):
        return text
    return "\n".join([*(headers[name] for name in KEPT_HEADERS if name in headers), body])


def repeat_subject(text: str) -> str:
    """Append the subject of a message several times: its words say more than others."""
    headers, _ = _parse(text)
    return "\n".join([text, *[headers["subject"]] * REPETITIONS]) if "subject" in headers else text


def _parse(text: str) -> tuple[dict[str, str], str]:
    """Split a message into its headers, the first of each name, and its body.

    A text without headers has an empty dictionary and is all body.
    """
    head, blank, body = re.sub(r"\r\n?", "\n", text).partition("\n\n")
    headers: dict[str, str] = {}
    name = ""
    for line in head.split("\n"):
        if name and line[:1] in {" ", "\t"}:  # a folded header goes on
            headers[name] += " " + line.strip()
            continue
        match = _HEADER.fullmatch(line)
        if match is None:
            return {}, text
        name = match[1].lower()
        headers.setdefault(name, match[2])
    return (headers, body) if blank else ({}, text)
