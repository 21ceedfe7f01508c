"""Formats of a record's value: JSON, text, and what schema registries put in front of a value."""

import json
from io import BytesIO
from typing import Any, Protocol

from consumer.records import signatures
from consumer.records.config import RegistryConfig
from consumer.records.signatures import REGISTRY_BYTES
from newsreel.common.errors import UserError
from newsreel.events.errors import SHOWN_CHARACTERS, DecodeError, Reason
from newsreel.events.record import MAX_RECORD_BYTES

LONG_ID_BYTES = 9
"""Apicurio's clients of old wrote the number of the schema in eight bytes."""

NUL_CHARACTERS = 4
"""Characters of a text whose NUL says that it is none, but UTF-16 or bytes of a registry."""


class MissingExtraError(UserError):
    """A format needs a package that is not installed."""


class RegistryError(UserError):
    """The schema registry does not answer, or refuses."""


class ValueFormat(Protocol):
    """Decodes values."""

    def decode(self, value: bytes) -> Any:
        """Return a value as JSON has it: an object, a list, a string, a number, or None.

        Raises
        ------
        DecodeError
            The value is not in this format.
        RegistryError
            The schema registry does not answer.
        """
        ...


class SchemaRegistry(Protocol):
    """Knows the schemas of values."""

    def schema(self, number: int) -> Any:
        """Return the parsed Avro schema of a number.

        Raises
        ------
        DecodeError
            The registry has no such schema.
        RegistryError
            The registry does not answer.
        """
        ...


class Json:
    """Values that are JSON, with or without a byte-order mark."""

    def decode(self, value: bytes) -> Any:
        """Return what the JSON holds; an object in a string is returned as the object."""
        text = decoded(value)
        try:
            content = json.loads(text)
            if isinstance(content, str) and content.lstrip().startswith("{"):
                content = _object_or_string(content)
        except RecursionError:
            raise DecodeError(Reason.NOT_JSON, "value: the JSON is nested too deeply") from None
        except ValueError as error:
            raise DecodeError(Reason.NOT_JSON, f"value: {_why_not_json(value, error)}") from error
        return content


class Text:
    """Values that are text in UTF-8."""

    def decode(self, value: bytes) -> str:
        """Return the text."""
        text = decoded(value)
        if "\0" in text[:NUL_CHARACTERS] and (found := signatures.recognize(value)):
            raise DecodeError(
                Reason.NOT_UTF8, f"value: no text but {found.description}; {found.advice}"
            )
        return text


class RegistryJson:
    """Values that are JSON behind the bytes of a schema registry; its schema is not needed."""

    def __init__(self) -> None:
        self._json = Json()

    def decode(self, value: bytes) -> Any:
        """Return what the JSON holds."""
        number = _registry_bytes(value, "json")
        # No registry has a schema 0: these are the first four of eight bytes.
        is_long = (
            number == 0
            and value[REGISTRY_BYTES : REGISTRY_BYTES + 1] not in signatures.BRACKETS
            and value[LONG_ID_BYTES:].lstrip()[:1] in signatures.BRACKETS
        )
        return self._json.decode(value[LONG_ID_BYTES if is_long else REGISTRY_BYTES :])


class Avro:
    """Values that are Avro behind the number of their schema.

    Parameters
    ----------
    registry
        Registry that knows the schema.
    """

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        from fastavro import schemaless_reader  # noqa: PLC0415 - an extra

        self._read = schemaless_reader

    def decode(self, value: bytes) -> Any:
        """Return the record; its logical types are dates, times and numbers of Python."""
        number = _registry_bytes(value, "avro")
        schema = self._registry.schema(number)
        body = BytesIO(value[REGISTRY_BYTES:])
        try:
            content = self._read(body, schema, None)
        except Exception as error:  # fastavro raises what its pieces raise
            raise DecodeError(
                Reason.BAD_SCHEMA,
                f"value: not Avro of schema {number} ({type(error).__name__}: {str(error)[:80]})",
            ) from error
        if rest := len(value) - REGISTRY_BYTES - body.tell():
            raise DecodeError(
                Reason.BAD_SCHEMA, f"value: {rest} bytes are left after Avro of schema {number}"
            )
        return content


def build_format(name: str, registry: RegistryConfig | None) -> ValueFormat:
    """Return the format of a name.

    Raises
    ------
    MissingExtraError
        The packages of the format are not installed.
    RegistryError
        The schema registry does not answer.
    """
    match name:
        case "json":
            return Json()
        case "text":
            return Text()
        case "json-registry":
            return RegistryJson()
    assert registry is not None  # noqa: S101 - the settings require it
    try:
        from consumer.records.registry import HttpRegistry  # noqa: PLC0415 - an extra

        return Avro(HttpRegistry(registry))
    except ImportError as error:
        raise MissingExtraError(
            f"--format avro needs the package {error.name}; install it with:"
            " pip install 'newsreel[avro]'"
        ) from error


def decoded(value: bytes) -> str:
    """Decode a value as UTF-8, without a byte-order mark.

    Raises
    ------
    DecodeError
        The value is empty, too large or not UTF-8.
    """
    _check_size(value)
    try:
        return value.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = signatures.recognize(value)
        what = f"{found.description}; {found.advice}" if found else "is it in another encoding?"
        raise DecodeError(
            Reason.NOT_UTF8, f"value: byte {error.start} is not valid UTF-8: {what}"
        ) from error


def _check_size(value: bytes) -> None:
    if not value:
        raise DecodeError(Reason.NO_VALUE, "value: it is empty")
    if len(value) > MAX_RECORD_BYTES:
        raise DecodeError(
            Reason.TOO_LARGE, f"value: {len(value)} bytes, at most {MAX_RECORD_BYTES} are allowed"
        )


def _object_or_string(content: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content


def _why_not_json(value: bytes, error: ValueError) -> str:
    found = signatures.recognize(value)
    if found is not None:
        return f"not JSON but {found.description}; {found.advice}"
    begin = value[:SHOWN_CHARACTERS].decode("utf-8-sig", "replace")
    reason = getattr(error, "msg", error)
    return f"not JSON ({reason}): {begin!r}; read text that is not JSON with --format text"


def _registry_bytes(value: bytes, name: str) -> int:
    """Return the number of the schema that a value begins with.

    Raises
    ------
    DecodeError
        The value does not begin as the clients of a schema registry begin one.
    """
    _check_size(value)
    if value[0] != 0 or len(value) < REGISTRY_BYTES:
        advice = "; read plain JSON with --format json" if value[:1] in signatures.BRACKETS else ""
        raise DecodeError(
            Reason.BAD_SCHEMA,
            f"value: it does not begin with a zero byte and the number of a schema, as {name} of a"
            f" schema registry does{advice}",
        )
    return int.from_bytes(value[1:REGISTRY_BYTES], "big")
