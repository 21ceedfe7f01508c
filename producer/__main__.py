"""The command ``newsreel-producer``, also ``python -m producer``."""

import sys
from collections.abc import Sequence

from newsreel.common import cli, logs
from producer.settings import Settings


def main() -> int:
    """Run the producer with the arguments of the command line; returns the exit code."""
    return cli.run("producer", publish, sys.argv[1:])


def publish(argv: Sequence[str]) -> None:
    """Parse the options and publish a stream."""
    logs.configure()
    settings = cli.parse(Settings, argv)
    from producer.run import run  # noqa: PLC0415 - Kafka's client takes longer than the options

    run(settings)


if __name__ == "__main__":
    sys.exit(main())
