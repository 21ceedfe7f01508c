"""Composition root: builds the parts, owns signals and the order in which things end."""

import sys

from consumer import evaluate
from consumer.learn import learn
from newsreel.common import cli, logs


def main() -> int:
    """Run what the command line asks for."""
    logs.configure()
    arguments = sys.argv[1:]
    if arguments[:1] == ["evaluate"]:
        return cli.run("consumer evaluate", evaluate.evaluate, arguments[1:])
    return cli.run("consumer", learn, arguments)


if __name__ == "__main__":
    sys.exit(main())
