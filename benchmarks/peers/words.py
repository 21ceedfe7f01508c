"""Words of a text, for libraries without a tokenizer."""

import re

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

STOP_WORDS: frozenset[str] = ENGLISH_STOP_WORDS

_WORD = re.compile(r"\w\w+")


def words(text: str) -> list[str]:
    """Return the lowercase words of two or more characters, without stop words, as scikit-learn."""
    return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]
