"""Whether this process trains alone or as one of several: what torchrun tells each of those that it starts.

The first process of them says, draws and writes all that there is to say, to draw and to write.
"""

import os


def size() -> int:
    """Return how many processes train together; 1 where torchrun did not start this one."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """Return the number of this process among them; the first is 0."""
    return int(os.environ["RANK"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0
