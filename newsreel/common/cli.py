"""Command lines from settings classes; every mistake of the user is reported in one line."""

import difflib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import structlog
from pydantic import AliasChoices, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, CliApp, CliSettingsSource, SettingsError

from newsreel import __version__
from newsreel.common.errors import USER_ERROR, UserError

MIN_SIMILARITY = 0.7
"""Least similarity of an unknown option to a known one that is suggested instead, from 0 to 1."""

MIN_VARIABLE_SIMILARITY = 0.9
"""The same for environment variables, which share their prefix already."""

SHOWN_CHARACTERS = 80
"""Most characters of a wrong value that a message repeats."""

SHORT_MESSAGES = {
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_parsing": "should be a number",
}
"""Short forms of pydantic's messages, by the type of the error."""

log = structlog.get_logger()

S = TypeVar("S", bound=BaseSettings)


class UsageError(UserError):
    """The command line or the environment has an unknown option or an impossible value."""


def parse(settings: type[S], argv: Sequence[str]) -> S:
    """Read settings from flags, then environment variables, then defaults.

    ``--help`` and ``--version`` print their text and end the program.

    Parameters
    ----------
    settings
        Settings class.
    argv
        Command-line arguments, without the name of the program.

    Raises
    ------
    UsageError
        An unknown option or an impossible value; one line names all of them.
    """
    for name, meant in _misspelt_variables(settings):
        log.warning("no such environment variable", name=name, did_you_mean=meant)
    _refuse_secrets(settings, argv)
    settings.__doc__ = inspect.cleandoc(settings.__doc__ or "")  # --help shows it unchanged
    source: CliSettingsSource[Any] = CliSettingsSource(settings, cli_exit_on_error=False)
    source.root_parser.add_argument(
        "--version",
        action="version",
        version=f"newsreel {__version__}",
        help="show the version of newsreel and exit",
    )
    try:
        return CliApp.run(settings, cli_args=list(argv), cli_settings_source=source)
    except SettingsError as error:
        problem = " ".join(str(error).removeprefix("error parsing CLI: ").splitlines())
        problem = _without_secrets(settings, problem)
        raise UsageError(f"{problem}{_suggestion(settings, problem)}; see --help") from error
    except ValidationError as error:
        raise UsageError(f"{'; '.join(_problems(settings, error))}; see --help") from error


def run(program: str, main: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    """Run the main function of a program and return the exit code.

    A `UserError` or an error of Kafka becomes one line on standard error and exit code 2, Ctrl-C
    becomes exit code 130. Any other exception is a bug and passes through.

    Parameters
    ----------
    program
        Name of the program in error messages.
    main
        Function that takes the command-line arguments.
    argv
        Command-line arguments, without the name of the program.
    """
    try:
        main(argv)
    except UserError as error:
        return _fail(f"{program}: {error}")
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # These take 0.2 s, which --help can't spare.
        from kafka.errors import KafkaError  # noqa: PLC0415

        from newsreel.common.kafka_errors import explain  # noqa: PLC0415

        if not isinstance(error, KafkaError):
            raise
        return _fail(
            f"{program}: a request to Kafka failed: {explain(error)}; check the brokers, then start"
            " again"
        )
    return 0


def _fail(line: str) -> int:
    print(line, file=sys.stderr)  # noqa: T201
    return USER_ERROR


def _flag(name: str) -> str:
    """Return the flag of an option; a name that Python reserves has an underscore at its end."""
    return "--" + name.rstrip("_").replace("_", "-")


def _problems(settings: type[BaseSettings], error: ValidationError) -> list[str]:
    """Return one message for each wrong option, whatever the number of errors in its value."""
    messages: dict[str, list[str]] = {}
    for details in error.errors():
        if details["type"] == "default_factory_not_called":
            continue  # a consequence of another option's error
        message = _message(settings, details)
        messages.setdefault(_wrong_option(settings, details) or message, []).append(message)
    return [
        option
        if option.endswith("is required") or option in reasons
        else f"{option}, but {' or '.join(reasons)}"
        for option, reasons in messages.items()
    ]


def _wrong_option(settings: type[BaseSettings], details: ErrorDetails) -> str | None:
    """Return the name of the wrong option with its value, unless the value is secret.

    None if the error is that several options don't fit together: the value would be all settings.
    """
    if not details["loc"]:
        return None
    name = _field(settings, str(details["loc"][0]))
    if _is_secret(settings, name):
        return f"{_variable(settings, name)} is wrong"
    shown = str(details["input"])
    shown = shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "..."
    value = "is required" if details["type"] == "missing" else f"is {shown!r}"
    return f"{_flag(name)} (or {_variable(settings, name)}) {value}"


def _message(settings: type[BaseSettings], details: ErrorDetails) -> str:
    name = _field(settings, str(next(iter(details["loc"]), "")))
    field = settings.model_fields.get(name)
    if details["type"] == "string_pattern_mismatch" and field is not None:
        return f"should look like {(field.examples or [field.default])[0]!r}"
    original = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return SHORT_MESSAGES.get(details["type"], original)


def _aliases(settings: type[BaseSettings], name: str) -> list[str]:
    """Return the aliases of an option: its flag, then its environment variable."""
    alias = settings.model_fields[name].validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []


def _field(settings: type[BaseSettings], name: str) -> str:
    """Return the name of the field with an alias; pydantic's errors name fields by their alias."""
    return next(
        (field for field in settings.model_fields if name in _aliases(settings, field)), name
    )


def _variable(settings: type[BaseSettings], name: str) -> str:
    """Return the environment variable of an option."""
    if aliases := _aliases(settings, name):
        return aliases[-1]
    return f"{settings.model_config.get('env_prefix', '')}{name}".upper()


def _is_secret(settings: type[BaseSettings], name: str) -> bool:
    return "SecretStr" in str(settings.model_fields[name].annotation)


def _refuse_secrets(settings: type[BaseSettings], argv: Sequence[str]) -> None:
    """Refuse secrets as flags, which every user of the machine sees in the list of processes.

    Misspelt flags of secrets are refused as well: the message about an unknown option would repeat
    the secret that follows.
    """
    flags = {_flag(name): name for name in settings.model_fields}
    for word in argv:
        given = word.partition("=")[0] if word.startswith("--") else ""
        for flag in difflib.get_close_matches(given, flags, 1, MIN_SIMILARITY):
            if _is_secret(settings, flags[flag]):
                raise UsageError(
                    f"a secret must not be a flag, which other users of the machine can see: set"
                    f" {_variable(settings, flags[flag])}, or name a file with {flag}-file"
                )


def _without_secrets(settings: type[BaseSettings], problem: str) -> str:
    """Remove the values of unknown options from a message if one option resembles a secret's."""
    flags = {_flag(name): name for name in settings.model_fields}
    unknown = re.findall(r"--[\w-]+", problem)
    similar = {
        match
        for flag in unknown
        for match in difflib.get_close_matches(flag, flags, 3, MIN_SIMILARITY)
    }
    if not any(_is_secret(settings, flags[flag]) for flag in similar):
        return problem
    return " ".join([problem.partition("--")[0].strip(), *unknown])


def _misspelt_variables(settings: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """Find environment variables that resemble an option's; pairs of the name and the option's.

    Variables with the same prefix that resemble none may belong to another program.
    """
    prefixes = [prefix for prefix in (settings.model_config.get("env_prefix"), "KAFKA_") if prefix]
    known = [_variable(settings, name) for name in settings.model_fields]
    for name in sorted(os.environ):
        if name.startswith(tuple(prefixes)) and name not in known:
            for meant in difflib.get_close_matches(name, known, 1, MIN_VARIABLE_SIMILARITY):
                yield name, meant


def _suggestion(settings: type[BaseSettings], problem: str) -> str:
    flags = [*map(_flag, settings.model_fields), "--help", "--version"]
    unknown = re.findall(r"--[\w-]+", problem)
    similar = [
        match
        for flag in unknown
        for match in difflib.get_close_matches(flag, flags, 1, MIN_SIMILARITY)
    ]
    return f" (did you mean {', '.join(similar)}?)" if similar and similar != unknown else ""
