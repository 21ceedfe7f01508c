"""Commands and variables of a deployment, as the programs parse them."""

from itertools import takewhile

import pytest
from pydantic_settings import BaseSettings

import consumer.settings
import producer.settings
from newsreel.common import cli

SETTINGS: dict[str, type[BaseSettings]] = {
    "producer": producer.settings.Settings,
    "consumer": consumer.settings.Settings,
    "consumer evaluate": consumer.settings.EvaluateSettings,
}


def split(command: list[str]) -> tuple[str, list[str]]:
    """Split a command line into the program, subcommand included, and its flags."""
    python, dash_m, *words = command
    assert (python, dash_m) == ("python", "-m")
    names = list(takewhile(lambda word: not word.startswith("--"), words))
    return " ".join(names), words[len(names) :]


def parsed(
    command: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> BaseSettings:
    """Parse the command and the environment as the program does."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    program, flags = split(command)
    return cli.parse(SETTINGS[program], flags)


def options(program: str) -> dict[str, str]:
    """Return the options of a program without those of Kafka: variables by flag."""
    settings = SETTINGS[program]
    prefix = settings.model_config["env_prefix"]
    return {
        "--" + name.replace("_", "-"): (prefix + name).upper()
        for name, field in settings.model_fields.items()
        if field.validation_alias is None
    }
