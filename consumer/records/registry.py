"""Schemas of a schema registry, by its HTTP interface of Confluent's kind."""

import json
from http import HTTPStatus
from typing import Any

import fastavro
import httpx
from fastavro.types import Schema

from consumer.records.config import RegistryConfig
from consumer.records.formats import RegistryError
from newsreel.events.errors import DecodeError, Reason

TIMEOUT_SECONDS = 10.0


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
        self._schemas: dict[int, Schema | DecodeError] = {}
        self._get("/subjects")

    def schema(self, number: int) -> Schema:
        """Return the parsed schema of a number, with all schemas that it refers to."""
        if number not in self._schemas:
            self._schemas[number] = self._fetch(number)
        found = self._schemas[number]
        if isinstance(found, DecodeError):
            raise found
        return found

    def _fetch(self, number: int) -> Schema | DecodeError:
        answer = self._get(f"/schemas/ids/{number}")
        if answer is None:
            return DecodeError(
                Reason.BAD_SCHEMA, f"value: the schema registry has no schema {number}"
            )
        if (kind := answer.get("schemaType", "AVRO")) != "AVRO":
            advice = "; read it with --format json-registry" if kind == "JSON" else ""
            return DecodeError(
                Reason.BAD_SCHEMA, f"value: schema {number} is {kind}, not Avro{advice}"
            )
        try:
            named: dict[str, Any] = {}
            self._add_references(answer, named)
            return fastavro.parse_schema(json.loads(answer["schema"]), named_schemas=named)
        except (ValueError, KeyError, fastavro.schema.SchemaParseException) as error:
            return DecodeError(
                Reason.BAD_SCHEMA, f"value: schema {number} is no valid Avro schema ({error})"
            )

    def _add_references(self, answer: dict[str, Any], named: dict[str, Any]) -> None:
        """Parse the schemas that a schema refers to, the innermost first."""
        for reference in answer.get("references") or ():
            subject = httpx.URL("").copy_with(path="/" + reference["subject"]).raw_path.decode()
            inner = self._get(f"/subjects{subject}/versions/{reference['version']}")
            if inner is not None:
                self._add_references(inner, named)
                fastavro.parse_schema(json.loads(inner["schema"]), named_schemas=named)

    def _get(self, path: str) -> Any:
        """Return the answer to a request; None if there is no such thing."""
        try:
            answer = self._client.get(self._url + path)
            if answer.status_code == HTTPStatus.NOT_FOUND and path != "/subjects":
                return None
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise RegistryError(
                f"the schema registry at {self._url!r} does not answer ({error or type(error)});"
                " name its address with --schema-registry, such as http://registry:8081, or of"
                " Apicurio http://registry:8080/apis/ccompat/v7"
            ) from error
