"""The service as an ASGI application: its paths, their input and their answers."""

from collections.abc import Callable, Coroutine
from importlib import resources
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match

from tenfold.errors import TenfoldError
from tenfold.predict import Reader
from tenfold.serve import answering, intake, schemas
from tenfold.serve.answering import Batcher
from tenfold.serve.intake import RefusedError, Workers
from tenfold.serve.telemetry import Telemetry

KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}  # of the page


class Route(APIRoute):
    """A path whose function gets the request and the parameters of the query.

    Without a query it calls the function directly, because FastAPI's parsing takes as long as reading a picture.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        resolving = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if request.scope["query_string"]:
                return await resolving(request)
            response: Response = await self.endpoint(request)
            return response

        return answer


def create_app(reader: Reader, telemetry: Telemetry | None = None) -> FastAPI:
    """Return the application that answers with this model, stored as `app.state.reader`."""
    app = FastAPI(
        title="Tenfold",
        version=version("tenfold"),
        description="Classifies pictures of handwritten characters, with calibrated confidence.",
        docs_url=None,  # these pages would load external scripts
        redoc_url=None,
    )
    app.state.reader = reader
    app.state.handwriting = False
    telemetry = telemetry or Telemetry()
    small, large = Workers(1), Workers(2)  # small pictures do not wait for photographs
    batcher = Batcher(lambda: app.state.reader)
    # Read once, so that no request can name a file.
    page = {entry.name: entry.read_bytes() for entry in (resources.files("tenfold.serve") / "page").iterdir()}

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> Response:
        return JSONResponse({"detail": str(error)}, error.http_status, error.headers)

    @app.exception_handler(TenfoldError)
    async def failed(_: Request, error: TenfoldError) -> Response:
        return JSONResponse({"detail": str(error).replace("\n", " ")}, intake.STATUS.get(type(error), 422))

    @app.exception_handler(405)
    async def other_method(request: Request, _: Exception) -> Response:
        scopes = {method: {**request.scope, "method": method} for method in ("DELETE", "GET", "HEAD", "POST")}
        taken = [m for m in scopes if any(route.matches(scopes[m])[0] is Match.FULL for route in app.routes)]
        allowed = {"allow": ", ".join([*taken, "OPTIONS"])}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=allowed)
        return JSONResponse({"detail": f"this path does not support {request.method}"}, 405, allowed)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return JSONResponse({"detail": f"{first['loc'][-1]}: {first['msg'].lower()}"}, 422)

    async def predict(request: Request, steps: bool = False, maps: bool = False) -> Response:
        """Classify one picture: the body, the field `picture` of a form, or an array of 28×28, white on black."""
        headers, body = request.headers, await request.body()
        workers = small if intake.is_small(headers, body) and not steps else large
        reading = await workers.run(lambda: intake.one(app.state.reader, headers, body, steps))
        answer = await batcher.answer(reading)
        telemetry.answers([answer])
        document = app.state.reader.document(answer)
        if steps or maps:
            document |= await large.run(lambda: answering.explanation(app.state.reader, reading, steps, maps))
        return JSONResponse(document)

    app.router.add_api_route(
        "/predict",
        predict,
        methods=["POST"],
        response_model=schemas.Prediction,
        responses=schemas.PROBLEMS,
        openapi_extra=schemas.ONE,
        route_class_override=Route,
    )

    @app.post(
        "/predict/batch", response_model=schemas.Predictions, responses=schemas.PROBLEMS, openapi_extra=schemas.SEVERAL
    )
    async def batch(request: Request) -> Response:
        """Classify up to 64 pictures: fields `picture` of a form, or arrays of 28×28, white on black."""
        body = await request.body()

        def work() -> Response:
            reader: Reader = app.state.reader
            answers = reader.read(intake.several(reader, request.headers, body))
            telemetry.answers(answers)
            return JSONResponse({"answers": [reader.document(answer) for answer in answers]})

        return await large.run(work)

    @app.get("/health", response_model=schemas.Health)
    async def health(_: Request) -> Response:
        """Return the health of the service."""
        return JSONResponse({"status": "ok"})

    @app.get("/model", response_model=schemas.Description)
    async def model(_: Request) -> Response:
        """Describe the model: its scores, its source, and its test vector."""
        state = app.state
        return JSONResponse({"name": state.reader.source, "handwriting": state.handwriting, **state.reader.description})

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics(_: Request) -> Response:
        """Return counts of requests, seconds and verdicts in Prometheus' text format."""
        return PlainTextResponse(telemetry.metrics())

    @app.get("/", include_in_schema=False)
    @app.get("/page/{name:path}", include_in_schema=False)
    async def static(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in page:
            raise RefusedError(404, "this page does not exist")
        return Response(page[name], media_type=KINDS[name.rpartition(".")[2]])

    return app
