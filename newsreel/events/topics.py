"""Topic names: everything that belongs to a stream is named after its document topic."""

DOCUMENTS = "documents"

PATTERN = r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,248}$"
"""What Kafka takes for a topic's name."""


def heldout(topic: str) -> str:
    """Topic of the documents that a model is examined on and never learns from."""
    return f"{topic}.heldout"


def dead_letters(topic: str) -> str:
    """Topic of the records that could not be used, each with the reason."""
    return f"{topic}.dead-letters"


def predictions(topic: str) -> str:
    """Topic of what the consumer predicted of each document."""
    return f"{topic}.predictions"


def labels(topic: str) -> str:
    """Topic of labels that come later than their documents."""
    return f"{topic}.labels"


def drift(topic: str) -> str:
    """Topic of the changes that the consumer noticed."""
    return f"{topic}.drift"


def truth(topic: str) -> str:
    """Topic of what changed in a simulated stream, and when."""
    return f"{topic}.truth"
