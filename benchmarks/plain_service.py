"""A service to compare with in `benchmarks.service`: the same model, served as in FastAPI's tutorial."""

import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, UploadFile

from tenfold.frameworks import exported
from tenfold.handwriting import picture

app = FastAPI()


@app.get("/health")
async def health() -> str:
    """Say that it answers."""
    return "ok"


@app.post("/predict")
def predict(picture: UploadFile) -> dict[str, Any]:
    """Read one picture."""
    return answered(app.state.model, picture.file.read())


def answered(model: exported.Model, content: bytes) -> dict[str, Any]:
    """Return what the model says to a picture file, read as Tenfold reads it."""
    reading = picture.read(picture.decode(content))
    if reading.image is None:
        return {"verdict": reading.verdict}
    _, probabilities = model.answer(reading.image[None])
    best = int(probabilities[0].argmax())
    named = dict(zip(model.classes, probabilities[0].tolist(), strict=True))
    return {"digit": model.classes[best], "confidence": named[model.classes[best]], "probabilities": named}


if __name__ == "__main__":
    app.state.model = exported.open_model(Path(sys.argv[1]), threads=1)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="error")
