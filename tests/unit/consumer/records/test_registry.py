"""Schemas of a registry that answers, refuses, or is away."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from consumer.records import registry
from consumer.records.config import RegistryConfig
from consumer.records.formats import RegistryError
from consumer.records.registry import HttpRegistry
from newsreel.events.errors import DecodeError

URL = "http://registry:8081/apis/"

CITY = {"type": "record", "name": "x.City", "fields": [{"name": "name", "type": "string"}]}

HOME = {"type": "record", "name": "x.Home", "fields": [{"name": "city", "type": "x.City"}]}

DESK = {
    "type": "record",
    "name": "x.Desk",
    "fields": [{"name": "home", "type": "x.Home"}, {"name": "city", "type": "x.City"}],
}

TO_CITY = {"name": "x.City", "subject": "places/city é", "version": 2}

TO_HOME = {"name": "x.Home", "subject": "home", "version": 1}

NOT_FOUND = httpx.Response(404, json={"error_code": 40403, "message": "Schema not found"})


def schema(content: Any, *references: Any, **more: str) -> httpx.Response:
    answer = {"schema": json.dumps(content), "references": references}
    return httpx.Response(200, json=answer | more)


class Server:
    """Answers of a registry by path, and the requests that it got."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response | Exception] = {
            "/apis/subjects": httpx.Response(200, json=["desk-value"]),
            "/apis/schemas/ids/1": schema(DESK, TO_HOME, TO_CITY),
            "/apis/subjects/home/versions/1": schema(HOME, TO_CITY),
            "/apis/subjects/places%2Fcity%20%C3%A9/versions/2": schema(CITY),
        }
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get(request.url.raw_path.decode(), NOT_FOUND)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def paths(self) -> list[str]:
        return [request.url.raw_path.decode() for request in self.requests]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    original: Callable[..., httpx.Client] = httpx.Client
    transport = httpx.MockTransport(found)
    monkeypatch.setattr(registry.httpx, "Client", lambda **k: original(**k, transport=transport))
    return found


def test_references(server: Server) -> None:
    """Schemas that a schema refers to are fetched once each, whatever their subjects are called."""
    known = HttpRegistry(RegistryConfig(URL))
    for _ in range(3):
        assert known.schema(1)["name"] == "x.Desk"
    assert len(server.paths) == len(set(server.paths)) == 4


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (NOT_FOUND, "the schema registry has no schema 5"),
        (httpx.Response(422, json={"error_code": 42201}), "the schema registry has no schema 5"),
        (schema({}, schemaType="JSON"), "schema 5 is JSON, not Avro; read it with --format json-r"),
        (schema({}, schemaType="PROTOBUF"), "schema 5 is PROTOBUF, not Avro"),
        (schema({"type": "record"}), "schema 5 is no valid Avro schema"),
        (schema("x.Unknown"), "schema 5 is no valid Avro schema"),
        (schema(HOME, {"name": "x.City", "subject": "gone", "version": 1}), "no valid Avro schema"),
        (httpx.Response(200, json={"schema": "{"}), "schema 5 is no valid Avro schema"),
        (httpx.Response(200, json={}), "schema 5 is no valid Avro schema"),
    ],
)
def test_no_schema(server: Server, answer: httpx.Response, says: str) -> None:
    """A schema that is not there, or not Avro, is the record's fault; it is asked for once."""
    server.answers["/apis/schemas/ids/5"] = answer
    known = HttpRegistry(RegistryConfig(URL))
    for _ in range(2):
        with pytest.raises(DecodeError, match=None) as error:
            known.schema(5)
        assert says in str(error.value)
    assert server.paths.count("/apis/schemas/ids/5") == 1


def test_impossible_number(server: Server) -> None:
    """A number that no registry can have is not asked for."""
    known = HttpRegistry(RegistryConfig(URL))
    with pytest.raises(DecodeError):
        known.schema(2**32 - 1)
    assert server.paths == ["/apis/subjects"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(503, text="starting"),
        httpx.Response(429),
        httpx.Response(404, text="<html>no such backend</html>"),
        httpx.Response(404, json=["x"]),
        httpx.Response(200, text="<html>sign in</html>"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout(""),
    ],
)
def test_away(server: Server, answer: httpx.Response | Exception) -> None:
    """A registry that is away, or a proxy before it, is no fault of a record; it is asked again."""
    known = HttpRegistry(RegistryConfig(URL))
    server.answers["/apis/schemas/ids/1"] = answer
    with pytest.raises(RegistryError, match="does not answer"):
        known.schema(1)
    server.answers["/apis/schemas/ids/1"] = schema(CITY)
    assert known.schema(1)["name"] == "x.City"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(401), "refuses with HTTP status 401; name a user"),
        (httpx.Response(403), "--schema-registry-password-file"),
        (httpx.Response(404, json={"error_code": 404}), "(HTTP status 404); name its address"),
        (httpx.Response(500), "(HTTP status 500)"),
        (httpx.Response(200, text="hello"), "http://registry:8080/apis/ccompat/v7"),
        (httpx.ConnectError("a\nb"), "does not answer (a b)"),
        (httpx.ReadTimeout(""), "does not answer (ReadTimeout)"),
    ],
)
def test_no_registry(server: Server, answer: httpx.Response | Exception, says: str) -> None:
    """A start without a registry is an error of one line that says what to do."""
    server.answers["/apis/subjects"] = answer
    with pytest.raises(RegistryError) as error:
        HttpRegistry(RegistryConfig(URL))
    assert says in str(error.value)
    assert "http://registry:8081/apis" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("url", ["registry:8081", "ftp://registry", "http://[::1", "http://a b"])
def test_wrong_address(url: str) -> None:
    """An address that is none is an error that shows how one looks."""
    with pytest.raises(RegistryError, match="such as http://registry:8081"):
        HttpRegistry(RegistryConfig(url))


def test_user(server: Server) -> None:
    """The user and the password go with each request."""
    HttpRegistry(RegistryConfig(URL, "läufer", "geheim"))
    HttpRegistry(RegistryConfig(URL))
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert "authorization" not in server.requests[1].headers
