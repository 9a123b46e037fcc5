"""Packages that seem not to be installed, in another process."""

from collections.abc import Collection

PROGRAM = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""


def hiding(modules: Collection[str]) -> str:
    """Return the program that hides top-level modules from imports and from `find_spec`."""
    return f"HIDDEN = {sorted(modules)!r}\n{PROGRAM}"
