"""``python -m consumer``: options are checked before anything that takes seconds is imported."""

import gc
import sys
from collections.abc import Callable, Sequence

from consumer.settings import EvaluateSettings, InspectSettings, Settings
from newsreel.common import cli, logs


def learn(argv: Sequence[str], failpoint: Callable[[str], None] = lambda _: None) -> None:
    """Learn from the stream until it ends or a signal arrives.

    Parameters
    ----------
    argv
        Options.
    failpoint
        Called with the name of each point of a commit at which a test may inject a fault.
    """
    settings = cli.parse(Settings, argv)
    gc.disable()  # until the model is loaded: collections take a tenth of the time of the imports
    try:
        from consumer.learn import learn_stream  # noqa: PLC0415 - imports torch

        learn_stream(settings, failpoint)
    finally:
        gc.enable()


def evaluate(argv: Sequence[str]) -> None:
    """Evaluate one checkpoint on the held-out topic, or each checkpoint that is committed."""
    settings = cli.parse(EvaluateSettings, argv)
    from consumer.evaluate import evaluate_checkpoints  # noqa: PLC0415 - imports torch

    evaluate_checkpoints(settings)


def inspect(argv: Sequence[str]) -> None:
    """Print what the records of a topic hold, and the options that read them."""
    settings = cli.parse(InspectSettings, argv)
    from consumer.inspect import inspect_topic  # noqa: PLC0415 - Kafka's client takes 0.2 s

    inspect_topic(settings)


COMMANDS = {"evaluate": evaluate, "inspect": inspect}


def main() -> int:
    """Run the command that the command line names; return the exit code."""
    logs.configure()
    arguments = sys.argv[1:]
    if (name := next(iter(arguments), "")) in COMMANDS:
        return cli.run(f"consumer {name}", COMMANDS[name], arguments[1:])
    return cli.run("consumer", learn, arguments)


if __name__ == "__main__":
    sys.exit(main())
