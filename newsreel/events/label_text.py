"""One spelling for each label: blanks around it and compositions of its characters do not count."""

import re
import unicodedata

_AROUND = re.compile(r"^[\s\u200b\u2060\ufeff]+|[\s\u200b\u2060\ufeff]+$")
"""Blanks, and characters without width, at the ends of a label."""


def normalized(label: str) -> str:
    r"""Return a label without blanks around it, in Unicode's NFC; empty if nothing else is left.

    Examples
    --------
    >>> normalized(" cafe\u0301 ") == normalized("caf\u00e9")
    True
    """
    return unicodedata.normalize("NFC", _AROUND.sub("", label))
