"""One spelling for each label: blanks around it and compositions of its characters do not count."""

import unicodedata

LONGEST = 4096
"""Characters of a label that are looked at: all more are too many, and would take long."""

_WIDTHLESS = "\u200b\u2060\ufeff"


def normalized(label: str) -> str:
    r"""Return a label without blanks around it, in Unicode's NFC; empty if nothing else is left.

    Examples
    --------
    >>> normalized(" cafe\u0301 ") == normalized("caf\u00e9")
    True
    """
    before = ""
    while label != before:
        before = label
        label = label.strip().strip(_WIDTHLESS)
    return unicodedata.normalize("NFC", label[:LONGEST])
