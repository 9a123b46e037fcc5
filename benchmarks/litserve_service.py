"""A service to compare with in `benchmarks.service`: the same model, served as in LitServe's tutorial."""

import sys
from pathlib import Path
from typing import Any

import litserve
from fastapi import UploadFile

from benchmarks.plain_service import answered
from tenfold.frameworks import exported


class Api(litserve.LitAPI):
    """Reads one picture."""

    def setup(self, device: str) -> None:
        """Open the model, in the worker's process."""
        self.model = exported.open_model(Path(sys.argv[1]), threads=1)

    def decode_request(self, request: UploadFile) -> bytes:
        """Return the content of the file."""
        return request.file.read()

    def predict(self, content: bytes) -> dict[str, Any]:
        """Read the picture."""
        return answered(self.model, content)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return the answer as it is."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="error", generate_client_file=False)
