"""The service as an application: its paths, what they take and answer."""

import asyncio
import base64
import io
from collections.abc import Callable, Sequence
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tenfold.data.picture import Reading
from tenfold.predict import Reader
from tenfold.serve import intake, schemas
from tenfold.serve.intake import RefusedError

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    413: {"model": schemas.Problem, "description": "more than 2 MB, or more than 4 million pixels"},
    415: {"model": schemas.Problem, "description": "not PNG, JPEG, WebP, BMP, TIFF or GIF"},
    422: {"model": schemas.Problem, "description": "damaged, or not as described here"},
}
ARRAY = {
    "type": "array",
    "minItems": 28,
    "maxItems": 28,
    "items": {
        "type": "array",
        "minItems": 28,
        "maxItems": 28,
        "items": {"type": "integer", "minimum": 0, "maximum": 255},
    },
}
BINARY = {"type": "string", "format": "binary"}


def create_app(reader: Reader) -> FastAPI:
    """Return the application that answers with this model."""
    app = FastAPI(title="Tenfold", version=version("tenfold"), docs_url=None, redoc_url=None)  # those load from afar
    app.state.reader = reader
    app.state.handwriting = False
    page = _page()

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, error.http_status)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"detail": f"{first['loc'][-1]}: {first['msg'].lower()}"}, 422)

    @app.post("/predict", responses=PROBLEMS, openapi_extra=_takes(ARRAY, BINARY), response_model=schemas.Prediction)
    async def predict(request: Request, steps: bool = False, maps: bool = False) -> Response:
        """Read one picture: as the body, as the form's field `picture`, or as a JSON array of 28×28."""
        reading = await _one(request, steps)
        (answer,) = app.state.reader.read([reading])
        document = answer.document()
        if steps:
            document["image"] = None if reading.image is None else reading.image.tolist()
            document["steps"] = [{"title": title, "picture": _data_url(shown)} for title, shown in reading.steps]
        if maps:
            document["maps"] = [] if reading.image is None else _sheets(app.state.reader, reading.image)
        return JSONResponse(document)

    several = {"type": "array", "minItems": 1, "maxItems": intake.BATCH}
    batch_of = {
        "type": "object",
        "required": ["images"],
        "properties": {"images": several | {"items": ARRAY}},
    }

    @app.post(
        "/predict/batch",
        responses=PROBLEMS,
        openapi_extra=_takes(batch_of, several | {"items": BINARY}, body=False),
        response_model=schemas.Predictions,
    )
    async def batch(request: Request) -> Response:
        """Read up to 64 pictures: fields `picture` of a form, or arrays of 28×28."""
        readings = await _several(request)
        return JSONResponse({"answers": [answer.document() for answer in app.state.reader.read(readings)]})

    @app.get("/health", response_model=schemas.Health)
    async def health() -> Response:
        """Say that the service answers."""
        return JSONResponse({"status": "ok"})

    @app.get("/model", response_model=schemas.Description)
    async def model() -> Response:
        """Say what the model is, how good, and how to check that it computes here what it did where it was made."""
        state = app.state
        return JSONResponse({"name": state.reader.source, "handwriting": state.handwriting, **state.reader.description})

    @app.get("/", include_in_schema=False)
    @app.get("/page/{name:path}", include_in_schema=False)
    async def static(name: str = "index.html") -> Response:
        if name not in page:
            raise RefusedError(404, "there is no such page")
        content, kind = page[name]
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return app


async def _one(request: Request, steps: bool) -> Reading:
    kind = intake.media_type(request)
    if kind == "application/json":
        return intake.array(intake.parsed(await request.body()))
    if kind == "multipart/form-data":
        contents = await intake.form(request)
        if len(contents) > 1:
            raise RefusedError(422, "one picture, please; /predict/batch takes several")
        content = contents[0]
    else:
        content = await request.body()
    return await asyncio.to_thread(intake.file, content, steps)


async def _several(request: Request) -> list[Reading]:
    kind = intake.media_type(request)
    if kind == "multipart/form-data":
        contents: Sequence[Any] = await intake.form(request)
        read: Callable[[Any], Reading] = intake.file
    elif kind == "application/json":
        value = intake.parsed(await request.body())
        images = value.get("images") if isinstance(value, dict) else None
        if not isinstance(images, list) or not images:
            raise RefusedError(422, 'several pictures as JSON are {"images": [one, another]}')
        contents, read = images, intake.array
    else:
        raise RefusedError(415, "several pictures come as a form, or as JSON")
    if len(contents) > intake.BATCH:
        raise RefusedError(422, f"{len(contents)} pictures; at most {intake.BATCH} a request, please")
    return await asyncio.to_thread(lambda: [read(one) for one in contents])


def _takes(json: dict[str, Any], field: dict[str, Any], body: bool = True) -> dict[str, Any]:
    form = {"type": "object", "required": [intake.FIELD], "properties": {intake.FIELD: field}}
    content = {"multipart/form-data": {"schema": form}, "application/json": {"schema": json}}
    if body:
        content["image/*"] = {"schema": BINARY}
    return {"requestBody": {"required": True, "content": content}}


def _sheets(reader: Reader, image: np.ndarray) -> list[dict[str, Any]]:
    sheets = []
    for layer, maps in reader.maps(image):
        channels, height, width = maps.shape
        across = int(np.ceil(np.sqrt(channels)))
        down = -(-channels // across)
        grid = np.zeros((down * across, height, width), np.float32)
        grid[:channels] = maps
        sheet = grid.reshape(down, across, height, width).swapaxes(1, 2).reshape(down * height, across * width)
        low, high = float(maps.min()), float(maps.max())
        grey = np.round(255 * (sheet - low) / max(high - low, 1e-12)).clip(0, 255).astype(np.uint8)
        sheets.append(
            {"layer": layer, "height": height, "width": width, "channels": channels, "picture": _data_url(grey)}
        )
    return sheets


def _data_url(grey: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _page() -> dict[str, tuple[bytes, str]]:
    """Return the page's files by path, with their types: read once, so that no request names a file."""
    found: dict[str, tuple[bytes, str]] = {}

    def walk(folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            elif (kind := KINDS.get("." + entry.name.rpartition(".")[2])) is not None:
                found[prefix + entry.name] = entry.read_bytes(), kind

    walk(resources.files("tenfold.serve") / "page", "")
    return found
