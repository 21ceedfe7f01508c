"""Topic names: all topics of a stream are named after its topic of documents."""

DOCUMENTS = "documents"

PATTERN = r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,248}$"
"""Regular expression of topic names that Kafka accepts."""


def heldout(topic: str) -> str:
    """Return the topic of held-out documents, which evaluate a model and never train it."""
    return f"{topic}.heldout"


def dead_letters(topic: str) -> str:
    """Return the topic of records that could not be used, each with the reason."""
    return f"{topic}.dead-letters"


def predictions(topic: str) -> str:
    """Return the topic of the consumer's predictions."""
    return f"{topic}.predictions"


def labels(topic: str) -> str:
    """Return the topic of labels that arrive later than their documents."""
    return f"{topic}.labels"


def drift(topic: str) -> str:
    """Return the topic of changes that the consumer detected."""
    return f"{topic}.drift"


def truth(topic: str) -> str:
    """Return the topic of the changes that a scenario made to a simulated stream."""
    return f"{topic}.truth"
