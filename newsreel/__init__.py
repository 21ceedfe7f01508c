"""Code that the producer and the consumer share: the wire contract and the basics of a program."""

__version__ = "0.2.0"
