"""``python -m harness``: run a Kafka until Ctrl-C, or while a command runs."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from harness import kinds
from harness.apache import VERSION
from harness.broker import program_environment
from harness.kinds import Kind
from newsreel.common import cli, logs
from newsreel.common.kafka import Connection
from newsreel.common.shutdown import Shutdown

FOLDER = Path("runs/kafka")

PORT = 9094

DAY_SECONDS = 86_400.0

LOOK_SECONDS = 0.5
"""Seconds between two checks whether the command has ended."""


class Settings(BaseSettings):
    """Run a Kafka on this machine until Ctrl-C, to try newsreel without Docker.

    Words after -- are a command, which runs with KAFKA_BOOTSTRAP_SERVERS set; Kafka ends with it,
    and the exit code is that of the command.
    """

    model_config = SettingsConfigDict(
        env_prefix="HARNESS_",
        cli_prog_name="python -m harness",
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_implicit_flags=True,
    )

    kafka: Kind = Field(
        "embedded",
        description="embedded Kafka; or Apache Kafka (apache) or a cluster of three brokers"
        " (cluster), which need Java and Maven",
    )
    kafka_version: str = Field(VERSION, description="version of Apache Kafka")
    port: int | None = Field(
        None,
        ge=1,
        le=65_533,
        description=f"TCP port of the first broker; by default {PORT}, and free ones for a command",
    )
    folder: Path | None = Field(
        None,
        description="folder of data and logs; by default a folder of runs/kafka, and a temporary"
        " one for a command",
    )


def serve(argv: Sequence[str]) -> None:
    """Run a Kafka until a signal arrives, or until the command after ``--`` ends."""
    end = argv.index("--") if "--" in argv else len(argv)
    options, command = argv[:end], argv[end + 1 :]
    settings = cli.parse(Settings, options)
    with Shutdown() as shutdown, TemporaryDirectory() as temporary:
        folder = settings.folder or (Path(temporary) if command else FOLDER / settings.kafka)
        port = settings.port or (None if command else PORT)
        found = kinds.build(settings.kafka, folder, port, settings.kafka_version)
        with found as kafka:
            if command:
                sys.exit(_run(command, kafka.bootstrap_servers, shutdown))
            print(  # noqa: T201 - the address is the result
                f"Kafka is at {kafka.bootstrap_servers}, its data in {folder}/; Ctrl-C stops it.\n"
                f"In another terminal: export KAFKA_BOOTSTRAP_SERVERS={kafka.bootstrap_servers}",
                flush=True,
            )
            while not shutdown.requested:
                shutdown.sleep(DAY_SECONDS)


def _run(command: Sequence[str], bootstrap_servers: str, shutdown: Shutdown) -> int:
    """Run a command, and return its exit code; a signal ends the command."""
    environment = program_environment(Connection(bootstrap_servers))
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 - the user's command
        while process.poll() is None and not shutdown.requested:
            shutdown.sleep(LOOK_SECONDS)
        process.terminate()
        return process.wait()


def main() -> int:
    """Run the command line; return the exit code."""
    logs.configure()
    return cli.run("harness", serve, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
