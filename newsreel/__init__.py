"""What the producer and the consumer share: the wire contract, and what makes a program."""

__version__ = "0.2.0"
