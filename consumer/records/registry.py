"""Schemas of a schema registry, by its HTTP interface of Confluent's kind."""

import json
import math
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import fastavro
import httpx
from fastavro.types import Schema

from consumer.records.config import RegistryConfig
from consumer.records.formats import RegistryError
from newsreel.events.errors import DecodeError, Reason

TIMEOUT_SECONDS = 5.0

CHECKED = "/subjects"
"""Request that shows at the start whether the registry answers."""

NO_SUCH_THING = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Answers to requests for what a registry can't have."""

RETRY_SECONDS = 30.0
"""Seconds after which a schema is asked for again: replicas of a registry may learn of it late."""

MOST_PROBLEMS = 1000
"""Numbers without a schema that are remembered."""

NOT_A_SCHEMA = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What parsing raises for an answer that is no schema."""

MAX_NUMBER = 2**31 - 1
"""Largest number of a schema: registries count with signed integers."""


class HttpRegistry:
    """A registry that is asked once for each schema.

    Parameters
    ----------
    config
        Address, and the user if the registry asks for one.

    Raises
    ------
    RegistryError
        The registry does not answer.
    """

    def __init__(self, config: RegistryConfig) -> None:
        self._url = config.url.rstrip("/")
        user = config.user
        self._client = httpx.Client(
            auth=(user, config.password or "") if user else None,
            timeout=TIMEOUT_SECONDS,
            follow_redirects=True,
        )
        self._schemas: dict[int, Schema] = {}
        self._problems: dict[int, tuple[str, float]] = {}
        self._get(CHECKED)

    def schema(self, number: int) -> Schema:
        """Return the parsed schema of a number, with all schemas that it refers to.

        A number without a usable schema is asked for again after `RETRY_SECONDS`.
        """
        if number in self._schemas:
            return self._schemas[number]
        problem, asked = self._problems.get(number, ("", -math.inf))
        if time.monotonic() - asked > RETRY_SECONDS:
            found = self._fetch(number)
            if not isinstance(found, str):
                self._schemas[number] = found
                return found
            problem = found
            if len(self._problems) >= MOST_PROBLEMS:
                self._problems.clear()
            self._problems[number] = problem, time.monotonic()
        raise DecodeError(Reason.BAD_SCHEMA, f"value: {problem}")

    def _fetch(self, number: int) -> Schema | str:
        """Return a schema, or why there is none."""
        if number > MAX_NUMBER or (answer := self._get(f"/schemas/ids/{number}")) is None:
            return f"the schema registry has no schema {number}"
        if (kind := answer.get("schemaType", "AVRO")) != "AVRO":
            advice = "; read it with --format json-registry" if kind == "JSON" else ""
            return f"schema {number} is {kind}, not Avro{advice}"
        try:
            named: dict[str, Any] = {}
            self._add_references(answer, named, set())
            return fastavro.parse_schema(json.loads(answer["schema"]), named_schemas=named)
        except (*NOT_A_SCHEMA, fastavro.schema.SchemaParseException) as error:
            return f"schema {number} is no valid Avro schema ({type(error).__name__}: {error})"

    def _add_references(
        self, answer: dict[str, Any], named: dict[str, Any], known: set[str]
    ) -> None:
        """Parse the schemas that a schema refers to, each once, the innermost first."""
        for reference in answer.get("references") or ():
            subject = quote(reference["subject"], safe="")
            path = f"/subjects/{subject}/versions/{reference['version']}"
            if path in known:
                continue
            known.add(path)
            inner = self._get(path)
            if inner is not None:
                self._add_references(inner, named, known)
                fastavro.parse_schema(json.loads(inner["schema"]), named_schemas=named)

    def _get(self, path: str) -> Any:
        """Return the answer to a request; None if there is no such thing."""
        try:
            answer = self._client.get(self._url + path)
            if path != CHECKED and _says_no(answer):
                return None
            answer.raise_for_status()
            return _object(answer) if path != CHECKED else answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise RegistryError(
                f"the schema registry at {self._url!r} {_problem(error)}"
            ) from error


def _object(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises
    ------
    ValueError
        The answer is none: it comes from something other than a registry.
    """
    content = answer.json()
    if not isinstance(content, dict):
        raise ValueError("its answer is no JSON object")  # noqa: TRY004 - handled as bad JSON is
    return content


def _says_no(answer: httpx.Response) -> bool:
    """Return whether a registry says that there is no such thing, and not a proxy before it."""
    if answer.status_code not in NO_SUCH_THING:
        return False
    try:
        content = answer.json()
    except ValueError:
        return False
    return isinstance(content, dict) and "error_code" in content


def _problem(error: Exception) -> str:
    """Return what is wrong with an answer, or with its absence, in one line."""
    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return (
            f"refuses with HTTP status {status}; name a user who may read schemas with"
            " --schema-registry-user and --schema-registry-password-file"
        )
    reason = f"HTTP status {status}" if status else str(error) or type(error).__name__
    return (
        f"does not answer ({' '.join(reason.split())[:200]}); name its address with"
        " --schema-registry, such as http://registry:8081, or of Apicurio"
        " http://registry:8080/apis/ccompat/v7"
    )
