"""The faster precision, measured once for a machine, a network and a batch size, then read from the cache folder."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from tenfold import files, machine, runs
from tenfold.data import catalog
from tenfold.errors import TenfoldError
from tenfold.frameworks import FRAMEWORKS
from tenfold.networks import Network

FASTER = 1.1  # speed-up needed to choose bfloat16; larger than the difference between two measurements


def remembered(
    network: Network, batch_size: int, environment: Mapping[str, str | int], measure: Callable[[], str]
) -> str:
    """Return the precision measured before for the same case, or else `measure` it and write it down.

    The case is the network, the batch size, the processor, the `environment` and the versions of the framework. A
    damaged file is replaced. If none can be written, each process measures.
    """
    here = {"processor": machine.processor(), "instructions": machine.instructions(), **environment}
    versions = runs.versions(FRAMEWORKS[str(environment["framework"])].packages)
    case = here | versions | {"network": repr(network), "batch_size": batch_size}
    path = folder() / f"{hashlib.sha256(json.dumps(case, sort_keys=True).encode()).hexdigest()[:16]}.json"
    with suppress(OSError, TenfoldError):
        known = files.read_json(path, dict[str, str | int], "it is measured again")
        if known.get("precision") in ("float32", "bfloat16") and known == case | {"precision": known["precision"]}:
            return str(known["precision"])
    precision = measure()
    with suppress(TenfoldError):
        files.make_folder(path.parent)
        files.write_json(path, case | {"precision": precision})
    return precision


def folder() -> Path:
    """Return the folder of the measured precisions; without it, they are measured again."""
    return catalog.folder_of("precision")


def faster(gradient: Callable[[str], np.ndarray]) -> str:
    """Return "bfloat16" if its gradients are correct and at least `FASTER` times as fast, otherwise "float32".

    Some processors run bfloat16 convolutions many times slower, and for some shapes the results have been wrong
    (pytorch#183815, #163347, #169688). So a few passes of both are timed and their gradients compared.
    """
    seconds = dict.fromkeys(("float32", "bfloat16"), float("inf"))
    gradients = {}
    for _ in range(6):  # alternately, so that other work on this machine slows both
        for precision in seconds:
            start = time.perf_counter()
            gradients[precision] = gradient(precision)
            seconds[precision] = min(seconds[precision], time.perf_counter() - start)
    exact = gradients["float32"]
    right = np.linalg.norm(gradients["bfloat16"] - exact) < 0.1 * np.linalg.norm(exact)  # rounding causes about 0.01
    return "bfloat16" if right and seconds["bfloat16"] * FASTER < seconds["float32"] else "float32"
