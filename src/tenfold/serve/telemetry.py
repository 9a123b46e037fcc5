"""The log, one line of JSON per request, and the metrics of the service; never the content of a picture."""

import json
import logging
import os
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from threading import Thread
from typing import TextIO

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from starlette.types import Scope

from tenfold.answers import Answer

LONGEST = 200  # characters of a path in the log
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)  # seconds


class Telemetry:
    """The log of one service, written to `stream` if given, and its metrics."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "tenfold_requests", "Requests answered or refused.", ("path", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "tenfold_request_seconds",
            "From the headers of a request to the end of its answer.",
            ("path",),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._answers = Counter("tenfold_answers", "Answers to pictures.", ("verdict",), registry=self.registry)

    def request(self, scope: Scope, status: int, seconds: float, came: int, went: int) -> None:
        """Log and count a request: status, seconds, and bytes of body in and out."""
        # Only existing paths get metrics, so that nobody can make their number grow.
        route = scope.get("route")
        path = "other" if route is None else route.path
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)
        self.line(
            method=scope["method"],
            path=scope["path"][:LONGEST],
            status=status,
            ms=round(1e3 * seconds, 2),
            bytes_in=came,
            bytes_out=went,
        )

    def answers(self, answers: Iterable[Answer]) -> None:
        """Count answers."""
        for answer in answers:
            self._answers.labels(answer.verdict).inc()

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Turn everything that others write to standard error during the block into lines of the log.

        Others are warnings, loggers of libraries, and C libraries, such as libtiff about damaged files.
        """
        if self.stream is None:
            yield
            return
        handler, stream, standard_error = LogHandler(self), self.stream, os.dup(2)
        reading, writing = os.pipe()
        self.stream = os.fdopen(standard_error, "w")
        os.dup2(writing, 2)
        os.close(writing)
        reader = Thread(target=self._copy, args=(reading,), daemon=True)
        reader.start()
        logging.getLogger().addHandler(handler)
        logging.captureWarnings(True)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            logging.getLogger().removeHandler(handler)
            os.dup2(standard_error, 2)  # which ends the reading
            reader.join(timeout=1)
            with suppress(OSError):
                self.stream.close()
            self.stream = stream

    def _copy(self, reading: int) -> None:
        with open(reading, errors="replace") as lines:
            for line in lines:
                self.line(level="warning", message=line.rstrip())

    def line(self, **fields: str | float) -> None:
        """Write a line to the log."""
        if self.stream is not None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            with suppress(OSError):  # the reader of the log is gone; the service continues
                print(json.dumps({"time": now, **fields}), file=self.stream, flush=True)


class LogHandler(logging.Handler):
    """Write the messages of loggers as lines of the same log."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__(logging.WARNING)
        self.telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, with the traceback if there is one."""
        fields = {"level": record.levelname.lower(), "message": record.getMessage().strip()}
        if record.exc_info:
            fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        self.telemetry.line(**fields)
