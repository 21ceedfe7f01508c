"""Topic names: everything that belongs to a stream is named after its document topic."""

DOCUMENTS = "documents"


def heldout(topic: str) -> str:
    """Topic of the documents that a model is examined on and never learns from."""
    return f"{topic}.heldout"


def dead_letters(topic: str) -> str:
    """Topic of the records that could not be used, each with the reason."""
    return f"{topic}.dead-letters"
