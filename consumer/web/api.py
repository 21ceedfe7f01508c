"""What the consumer answers over HTTP: predictions, the model, how it goes, and the live page."""

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
from consumer.web.serving import Answer, NotReadyError

PAGE = Path(__file__).parent / "page"

FILES = {
    "/": "index.html",
    "/page.css": "page.css",
    "/page.js": "page.js",
    "/chart.js": "chart.js",
    "/docs": "docs.html",
    "/docs.js": "docs.js",
}
"""Of the live page; none of them has anything of the stream in it."""

OPEN_PATHS = middleware.OPEN_PATHS | FILES.keys() | {"/openapi.json"}
"""Paths that are answered without a token."""

MOST_TEXTS = 32

RETRY_AFTER = {"retry-after": "1"}

HEADERS = {
    # Texts of the stream are shown: should one ever be taken for markup, nothing of it may run.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}

Text = Annotated[str, StringConstraints(min_length=1)]

Predict = Callable[[list[str]], Answer]


class PredictRequest(BaseModel):
    """What to predict: one text, or some."""

    model_config = ConfigDict(extra="forbid")

    text: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)] = Field(
        description=f"a text, or up to {MOST_TEXTS}; of each, what is read in the stream"
    )


class LabelProbabilities(BaseModel):
    """What the model says of a text: null before it knows a label."""

    label: str | None
    probabilities: dict[str, float] = Field(description="up to five labels, the likeliest first")


class ModelVersion(BaseModel):
    """Which model speaks: learning steps since the stream began, and the last commit before."""

    checkpoint: str | None
    step: int


class PredictResponse(BaseModel):
    """One prediction for each text, all by the same weights."""

    predictions: list[LabelProbabilities]
    model: ModelVersion


class ModelInfo(ModelVersion):
    """The model as it is now."""

    learner: str
    encoder: str
    labels: list[str]
    documents: int = Field(description="predicted since the stream began")
    accuracy: float | None = Field(description="of the last 1000 labelled ones, before learning")


class ErrorResponse(BaseModel):
    """What is wrong, in words."""

    detail: str


def app(
    monitoring: list[Route],
    progress: Callable[[], dict[str, Any]],
    predict: Predict,
    model: Callable[[], dict[str, Any]],
    served: Callable[[int, float], None],
    version: str,
) -> FastAPI:
    """Build the consumer's application.

    Parameters
    ----------
    monitoring
        What `consumer.web.server.monitoring` builds.
    progress
        How it goes, ready for JSON.
    predict
        Predicts texts with the current weights.
    model
        The fields of `ModelInfo`.
    served
        Told of each question answered: its texts, and seconds.
    version
        Of newsreel.
    """
    made = FastAPI(
        title="newsreel",
        version=version,
        description="A model that learns from a text stream while the stream runs.",
        docs_url=None,
        redoc_url=None,
    )
    made.router.routes.extend(monitoring)
    closed: dict[int | str, dict[str, Any]] = {401: {"description": "without the token, if any"}}
    problems = closed | {
        400: {"model": ErrorResponse, "description": "bytes that are no text"},
        413: {"description": "more than 1 MiB"},
        422: {"model": ErrorResponse, "description": "no question"},
        503: {"model": ErrorResponse, "description": "loading, standing by, or busy"},
    }

    @made.exception_handler(NotReadyError)
    @made.exception_handler(BusyError)
    def refuse(_: Request, error: Exception) -> Response:
        detail = str(error) or "the model is busy; ask again"
        return JSONResponse({"detail": detail}, 503, RETRY_AFTER)

    @made.exception_handler(RequestValidationError)
    def correct(request: Request, error: RequestValidationError) -> Response:
        # What was sent is not repeated: it may be anything, also what no answer can hold.
        wrong = "; ".join(sorted({f"{_where(one['loc'])}: {one['msg']}" for one in error.errors()}))
        if not request.headers.get("content-type", "").startswith("application/json"):
            wrong += "; send JSON, with the header content-type: application/json"
        detail = wrong.encode("ascii", "backslashreplace").decode()
        return JSONResponse({"detail": detail}, status_code=422)

    @made.middleware("http")
    async def confine(request: Request, go_on: RequestResponseEndpoint) -> Response:
        answer = await go_on(request)
        answer.headers.update(HEADERS)
        return answer

    @made.post("/predict", responses=problems)
    def ask(question: PredictRequest) -> PredictResponse:
        """Predict texts with the current weights, while learning goes on."""
        texts = [question.text] if isinstance(question.text, str) else question.text
        started = time.perf_counter()
        answer = predict(texts)
        served(len(texts), time.perf_counter() - started)
        return PredictResponse(
            predictions=[
                LabelProbabilities(label=said.predicted.label, probabilities=dict(said.top))
                for said in answer.predictions
            ],
            model=ModelVersion(checkpoint=answer.checkpoint, step=answer.step),
        )

    @made.get("/model", responses=closed)
    def describe() -> ModelInfo:
        """Describe the model as it is now."""
        return ModelInfo(**model())

    @made.get("/progress", responses=closed)
    def show() -> dict[str, Any]:
        """Tell how it goes: counts, scores, the curve, lag, and the latest mistakes."""
        return progress()

    def give(request: Request) -> Response:
        return FileResponse(PAGE / FILES[request.url.path])

    for path in FILES:
        made.add_route(path, give, include_in_schema=False)
    return made


def _where(location: Sequence[str | int]) -> str:
    """Name what of a body is wrong: a field, and which of its items."""
    named = [str(part) for part in location[1:] if isinstance(part, int) or part.isidentifier()]
    return ".".join(named) or "body"
