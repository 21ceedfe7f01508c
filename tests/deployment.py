"""Commands and variables of a deployment, as the programs parse them."""

from itertools import takewhile

import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import consumer.settings
import producer.settings
from newsreel.common import cli
from newsreel.common.settings import KafkaSettings

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
        "--" + name.rstrip("_").replace("_", "-"): _variable(prefix + name, field)
        for name, field in settings.model_fields.items()
        if name not in KafkaSettings.model_fields
    }


def _variable(name: str, field: FieldInfo) -> str:
    """Return the variable of an option; some are the same for several programs."""
    choices = getattr(field.validation_alias, "choices", None)
    return str(choices[-1]) if choices else name.upper()
