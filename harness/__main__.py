"""``python -m harness``: run an embedded Kafka until Ctrl-C, to try newsreel without Docker."""

import sys
from pathlib import Path

from harness.broker import EmbeddedKafka
from newsreel.common import cli, logs
from newsreel.common.shutdown import Shutdown

FOLDER = Path("runs/kafka")
PORT = 9094
DAY_SECONDS = 86_400.0


def serve(_: object) -> None:
    """Run the embedded Kafka until a signal arrives."""
    with Shutdown() as shutdown, EmbeddedKafka(FOLDER, PORT) as broker:
        print(  # noqa: T201 - the address is the result
            f"Kafka is at {broker.bootstrap_servers}, its data in {FOLDER}/; Ctrl-C stops it.\n"
            f"In another terminal: export KAFKA_BOOTSTRAP_SERVERS={broker.bootstrap_servers}",
            flush=True,
        )
        while not shutdown.requested:
            shutdown.sleep(DAY_SECONDS)


def main() -> int:
    """Run the embedded Kafka; return the exit code."""
    logs.configure()
    return cli.run("harness", serve, [])


if __name__ == "__main__":
    sys.exit(main())
