"""The processor, the cores and the memory that this process may use, and what it does with freed memory."""

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

if sys.platform != "win32":
    import resource

GROUPS = Path("/sys/fs/cgroup")
UNKNOWN = 2**62  # bytes, if the amount is unknown
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of glibc's mallopt
KEPT, LARGEST_KEPT = 1 << 30, 1 << 25  # bytes; glibc allows no larger block on the heap


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Return the name of the processor."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def instructions() -> str:
    """Return the instruction sets of the processor, in order; empty where the system does not list them."""
    return " ".join(sorted((_cpuinfo("flags") or _cpuinfo("Features")).split()))


def memory() -> int:
    """Return the bytes of memory that this process may use: the limit of the machine, its container or `ulimit -v`."""
    return min(_limits(), default=UNKNOWN)


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks for reuse, up to a gigabyte in all, instead of returning them to the system.

    Each training step needs the same few megabytes as the one before. Fetched anew, they cost an earlier `quick` 1,700
    page faults per step. Other C libraries are left alone.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(TRIM_THRESHOLD, KEPT)


def threads() -> int:
    """Return the number of threads to compute with: `OMP_NUM_THREADS`, which a pool sets for workers, or `cores`."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else cores()


def one_blas_thread() -> AbstractContextManager[object]:
    """Have numpy and scikit-learn multiply on one thread while the block runs, where threadpoolctl is installed.

    The threads of OpenBLAS spin while they wait for each other. Beside a busy process, small products on two threads
    take up to seventeen times as long as on one (EXPERIMENTS.md, 2026-11-28). The limit is that of the whole process
    and of the libraries that it has loaded; blocks may be nested, but not overlap in two threads.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits


def gigabytes(count: int) -> str:
    """Return a number of bytes in GB."""
    return f"{count / 1e9:,.1f} GB"


def _cpuinfo(name: str) -> str:
    """Return what Linux says of the first core under this name, or nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _limits() -> Iterator[int]:
    with suppress(ValueError, AttributeError):  # not on Windows
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if sys.platform != "win32" and (limit := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
        yield limit
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            root, name = (GROUPS / "memory", "memory.limit_in_bytes") if kinds else (GROUPS, "memory.max")
            group = root / path.lstrip("/")
            if kinds in ("", "memory"):
                for folder in (group, *group.parents):  # a limit of a parent group applies too
                    with suppress(OSError, ValueError):  # "max" means no limit
                        yield int((folder / name).read_text())
