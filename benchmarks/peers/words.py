"""Words for libraries that leave reading to their user."""

import re

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

STOP_WORDS: frozenset[str] = ENGLISH_STOP_WORDS

_WORD = re.compile(r"\w\w+")


def words(text: str) -> list[str]:
    """Split as scikit-learn does: lowercase, two or more letters or digits, no stop words."""
    return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]
