"""HTTP application of the consumer: predictions, the model, progress and the live page."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.middleware.base import RequestResponseEndpoint
from starlette.routing import Route

from consumer.learners.shared import BusyError
from consumer.web import middleware
from consumer.web.serving import Answer, NotReadyError, UnpredictableError

PAGE = Path(__file__).parent / "page"

FILES = {
    "/": "index.html",
    "/page.css": "page.css",
    "/page.js": "page.js",
    "/chart.js": "chart.js",
    "/docs": "docs.html",
    "/docs.js": "docs.js",
}
"""Files of the live page by path; none of them holds data of the stream."""

OPEN_PATHS = middleware.OPEN_PATHS | FILES.keys() | {"/openapi.json"}
"""Paths that need no token."""

MAX_TEXTS = 32
"""Number of texts in one request."""

RETRY_AFTER = {"retry-after": "1"}

HEADERS = {
    # The page shows texts of the stream: should one be taken for markup, no script in it may run.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}

UNAUTHORIZED: dict[int | str, dict[str, Any]] = {401: {"description": "token missing or wrong"}}
"""Response without a valid token, for the OpenAPI document."""

Text = Annotated[str, StringConstraints(min_length=1)]

Predict = Callable[[list[str]], Answer]


class PredictRequest(BaseModel):
    """One text or several texts to predict."""

    model_config = ConfigDict(extra="forbid")

    text: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)] = Field(
        description=f"a text, or up to {MAX_TEXTS} texts; each is cut like a text of the stream"
    )


class LabelProbabilities(BaseModel):
    """Prediction of a text; the label is null before a label is known."""

    label: str | None
    probabilities: dict[str, float] = Field(
        description="up to five labels, the most probable first; JavaScript reads labels that are"
        " whole numbers in the order of numbers"
    )


class ModelVersion(BaseModel):
    """Version of the model: learning steps since the stream began, and the last commit."""

    checkpoint: str | None
    step: int


class PredictResponse(BaseModel):
    """One prediction for each text, all by the same weights."""

    predictions: list[LabelProbabilities]
    model: ModelVersion


class ModelInfo(ModelVersion):
    """The current model."""

    learner: str
    encoder: str
    labels: list[str]
    documents: int = Field(description="documents predicted since the stream began")
    accuracy: float | None = Field(
        description="accuracy of the last 1000 labelled documents, before learning"
    )


class ErrorResponse(BaseModel):
    """Description of an error."""

    detail: str


PREDICT_ERRORS = UNAUTHORIZED | {
    400: {"model": ErrorResponse, "description": "body is not UTF-8"},
    413: {"description": "body over 1 MiB"},
    422: {
        "model": ErrorResponse,
        "description": "body is not a valid request, or a text has no finite features",
    },
    503: {"model": ErrorResponse, "description": "loading, standing by, or busy"},
}
"""Responses of POST /predict that report an error."""


def app(
    monitoring: list[Route],
    progress: Callable[[], dict[str, Any]],
    predict: Predict,
    model: Callable[[], dict[str, Any]],
    served: Callable[[int, float], None],
    version: str,
) -> FastAPI:
    """Build the HTTP application of the consumer.

    Parameters
    ----------
    monitoring
        Routes that `consumer.web.server.monitoring` builds.
    progress
        Returns the state of the run, ready for JSON.
    predict
        Predicts texts with the current weights.
    model
        Returns the fields of `ModelInfo`.
    served
        Called for each answered request, with its number of texts and its duration in seconds.
    version
        Version of newsreel.
    """
    application = FastAPI(
        title="newsreel",
        version=version,
        description="A model that learns from a text stream while the stream runs.",
        docs_url=None,
        redoc_url=None,
        # A proxy may serve all this below a path that is not known here: addresses are relative,
        # and nothing is redirected.
        servers=[{"url": "."}],
        redirect_slashes=False,
    )
    application.router.routes.extend(monitoring)
    _add_handlers(application)
    _add_page(application)

    @application.post("/predict", responses=PREDICT_ERRORS)
    def ask(body: PredictRequest) -> PredictResponse:
        """Predict texts with the current weights, while learning continues."""
        texts = [body.text] if isinstance(body.text, str) else body.text
        started = time.perf_counter()
        answer = predict(texts)
        served(len(texts), time.perf_counter() - started)
        return _response(answer)

    @application.get("/model", responses=UNAUTHORIZED)
    def describe() -> ModelInfo:
        """Describe the current model."""
        return ModelInfo(**model())

    @application.get("/progress", responses=UNAUTHORIZED)
    def show() -> dict[str, Any]:
        """Return counts, scores, the accuracy curve, lag and the latest mistakes."""
        return progress()

    return application


def _response(answer: Answer) -> PredictResponse:
    return PredictResponse(
        predictions=[
            LabelProbabilities(label=each.predicted.label, probabilities=dict(each.top))
            for each in answer.predictions
        ],
        model=ModelVersion(checkpoint=answer.checkpoint, step=answer.step),
    )


def _add_handlers(application: FastAPI) -> None:
    """Answer errors with JSON, and add the security headers to each response."""

    @application.exception_handler(NotReadyError)
    @application.exception_handler(BusyError)
    def refuse(_: Request, error: Exception) -> Response:
        detail = str(error) or "the model is busy; try again"
        return JSONResponse({"detail": detail}, 503, RETRY_AFTER)

    @application.exception_handler(UnpredictableError)
    def name(_: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=422)

    @application.exception_handler(RequestValidationError)
    def explain(request: Request, error: RequestValidationError) -> Response:
        # The message does not repeat the body, which may hold characters that no response can hold.
        wrong = "; ".join(
            sorted({f"{_where(part['loc'])}: {part['msg']}" for part in error.errors()})
        )
        if not request.headers.get("content-type", "").startswith("application/json"):
            wrong += "; send JSON, with the header content-type: application/json"
        detail = wrong.encode("ascii", "backslashreplace").decode()
        return JSONResponse({"detail": detail}, status_code=422)

    @application.middleware("http")
    async def add_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response


def _add_page(application: FastAPI) -> None:
    """Serve the files of the live page."""

    def send_file(request: Request) -> Response:
        return FileResponse(PAGE / FILES[request.url.path])

    for path in FILES:
        application.add_route(path, send_file, include_in_schema=False)


def _where(location: Sequence[str | int]) -> str:
    """Name the part of a body that is wrong: a field and the index of its item."""
    names = [str(part) for part in location[1:] if isinstance(part, int) or part.isidentifier()]
    return ".".join(names) or "body"
