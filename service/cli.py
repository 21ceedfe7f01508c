"""Command lines from settings classes, with one clear line for every mistake."""

import difflib
import re
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, CliApp, SettingsError

from service.errors import UserError

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
    try:
        return CliApp.run(settings, cli_args=list(argv), cli_exit_on_error=False)
    except SettingsError as error:
        complaint = str(error).removeprefix("error parsing CLI: ")
        raise UsageError(f"{complaint}{_suggest(settings, complaint)}; see --help") from error
    except ValidationError as error:
        complaints = [_complaint(settings, details) for details in error.errors()]
        raise UsageError(f"{'; '.join(complaints)}; see --help") from error


def run(program: str, main: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    """Run a program's main function; a user's mistake becomes one line and exit code 2."""
    try:
        main(argv)
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _complaint(settings: type[BaseSettings], details: object) -> str:
    assert isinstance(details, dict)  # noqa: S101 - pydantic's ErrorDetails
    message = str(details["msg"]).removeprefix("Value error, ")
    if not details["loc"]:
        return message
    name = str(details["loc"][0])
    field = settings.model_fields.get(name)
    variable = f"{settings.model_config.get('env_prefix', '')}{name}".upper()
    if field is None or field.validation_alias is not None:
        variable = name.upper().replace("-", "_")
    if details["type"] == "missing":
        return f"{_flag(name)} (or {variable}) is required"
    given = str(details["input"])
    shown = given if len(given) <= 80 else given[:77] + "..."  # noqa: PLR2004
    return f"{_flag(name)} (or {variable}): {message[:1].lower()}{message[1:]}, got {shown!r}"


def _suggest(settings: type[BaseSettings], complaint: str) -> str:
    flags = [_flag(name) for name in settings.model_fields]
    unknown = re.findall(r"--[\w-]+", complaint)
    close = [match for flag in unknown for match in difflib.get_close_matches(flag, flags, n=1)]
    return f" (did you mean {', '.join(close)}?)" if close and close != unknown else ""
