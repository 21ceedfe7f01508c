"""Command lines from settings classes, with one clear line for every mistake."""

import difflib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import structlog
from kafka.errors import KafkaError
from pydantic import AliasChoices, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, CliApp, SettingsError

from newsreel.common.errors import UserError

CLOSE = 0.7
"""How alike an unknown option and a known one are, at least, for it to be suggested."""

CLOSE_VARIABLE = 0.9
"""The same for environment variables, whose prefix is alike already."""

SHOWN_CHARACTERS = 80
"""How much of a wrong value is repeated."""

PLAINLY = {
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_parsing": "should be a number",
}
"""What pydantic says at more length, by the type of the error."""

log = structlog.get_logger()

S = TypeVar("S", bound=BaseSettings)


class UsageError(UserError):
    """The command line or the environment asks for something that does not exist."""


def parse(settings: type[S], argv: Sequence[str]) -> S:
    """Read settings from flags, then the environment, then defaults.

    Raises
    ------
    UsageError
        An unknown option or an impossible value; all of them in one line.
    """
    for name, meant in _misspelt(settings):
        log.warning("no such environment variable", name=name, did_you_mean=meant)
    _refuse_secrets(settings, argv)
    settings.__doc__ = inspect.cleandoc(settings.__doc__ or "")  # shown by --help as it is
    try:
        return CliApp.run(settings, cli_args=list(argv), cli_exit_on_error=False)
    except SettingsError as error:
        complaint = " ".join(str(error).removeprefix("error parsing CLI: ").splitlines())
        complaint = _without_secrets(settings, complaint)
        raise UsageError(f"{complaint}{_suggest(settings, complaint)}; see --help") from error
    except ValidationError as error:
        raise UsageError(f"{'; '.join(_complaints(settings, error))}; see --help") from error


def run(program: str, main: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    """Run a program's main function; a user's mistake becomes one line and exit code 2."""
    try:
        main(argv)
    except UserError as error:
        return _give_up(f"{program}: {error}")
    except KafkaError as error:
        return _give_up(
            f"{program}: Kafka does not go along ({error}); check the broker, and that you may use"
            " the topics and the group"
        )
    except KeyboardInterrupt:
        return 130
    return 0


def _give_up(line: str) -> int:
    print(line, file=sys.stderr)  # noqa: T201
    return 2


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _complaints(settings: type[BaseSettings], error: ValidationError) -> list[str]:
    """One complaint for each option, however many ways its value is wrong in."""
    wrong: dict[str, list[str]] = {}
    for details in error.errors():
        if details["type"] == "default_factory_not_called":
            continue  # follows from another
        message = _plainly(settings, details)
        wrong.setdefault(_what(settings, details) or message, []).append(message)
    return [
        what
        if what.endswith("is required") or what in messages
        else f"{what}, but {' or '.join(messages)}"
        for what, messages in wrong.items()
    ]


def _what(settings: type[BaseSettings], details: ErrorDetails) -> str | None:
    """Name the option that is wrong and what it is, unless that is secret.

    None where options don't fit together: the input would be all of them.
    """
    if not details["loc"]:
        return None
    name = _field(settings, str(details["loc"][0]))
    if _is_secret(settings, name):
        return f"{_variable(settings, name)} is wrong"
    shown = str(details["input"])
    shown = shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "..."
    given = "is required" if details["type"] == "missing" else f"is {shown!r}"
    return f"{_flag(name)} (or {_variable(settings, name)}) {given}"


def _plainly(settings: type[BaseSettings], details: ErrorDetails) -> str:
    name = _field(settings, str(next(iter(details["loc"]), "")))
    field = settings.model_fields.get(name)
    if details["type"] == "string_pattern_mismatch" and field is not None:
        return f"should look like {(field.examples or [field.default])[0]!r}"
    usual = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return PLAINLY.get(details["type"], usual)


def _aliases(settings: type[BaseSettings], name: str) -> list[str]:
    """Return what else an option is called: its flag, then its environment variable."""
    alias = settings.model_fields[name].validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []


def _field(settings: type[BaseSettings], name: str) -> str:
    """Name of the option that is called so; pydantic names fields by alias where they have one."""
    return next((it for it in settings.model_fields if name in _aliases(settings, it)), name)


def _variable(settings: type[BaseSettings], name: str) -> str:
    """Environment variable of an option."""
    prefix = settings.model_config.get("env_prefix", "")
    return _aliases(settings, name)[-1] if _aliases(settings, name) else f"{prefix}{name}".upper()


def _is_secret(settings: type[BaseSettings], name: str) -> bool:
    return "SecretStr" in str(settings.model_fields[name].annotation)


def _refuse_secrets(settings: type[BaseSettings], argv: Sequence[str]) -> None:
    """Refuse secrets as flags: everybody on the machine can list processes with their flags.

    Misspelt ones are refused here, too, as any other message would repeat what follows them.
    """
    flags = {_flag(name): name for name in settings.model_fields}
    for word in argv:
        given = word.partition("=")[0] if word.startswith("--") else ""
        for flag in difflib.get_close_matches(given, flags, 1, CLOSE):
            if _is_secret(settings, flags[flag]):
                raise UsageError(
                    f"a secret can't be an option, where others see it: set"
                    f" {_variable(settings, flags[flag])}, or name a file with {flag}-file"
                )


def _without_secrets(settings: type[BaseSettings], complaint: str) -> str:
    """Leave the values of unknown options out if one of these may be meant for a secret."""
    flags = {_flag(name): name for name in settings.model_fields}
    unknown = re.findall(r"--[\w-]+", complaint)
    close = {it for flag in unknown for it in difflib.get_close_matches(flag, flags, 3, CLOSE)}
    if not any(_is_secret(settings, flags[flag]) for flag in close):
        return complaint
    return " ".join([complaint.partition("--")[0].strip(), *unknown])


def _misspelt(settings: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """Find environment variables that are almost an option's. Others may be somebody else's."""
    prefixes = [prefix for prefix in (settings.model_config.get("env_prefix"), "KAFKA_") if prefix]
    known = [_variable(settings, name) for name in settings.model_fields]
    for name in sorted(os.environ):
        if name.startswith(tuple(prefixes)) and name not in known:
            for meant in difflib.get_close_matches(name, known, 1, CLOSE_VARIABLE):
                yield name, meant


def _suggest(settings: type[BaseSettings], complaint: str) -> str:
    flags = [_flag(name) for name in settings.model_fields]
    unknown = re.findall(r"--[\w-]+", complaint)
    close = [
        match for flag in unknown for match in difflib.get_close_matches(flag, flags, 1, CLOSE)
    ]
    return f" (did you mean {', '.join(close)}?)" if close and close != unknown else ""
