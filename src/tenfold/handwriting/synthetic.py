"""Draws synthetic handwriting: skeletons of digits, varied at random, rendered as pictures and read by the contract.

MNIST's writers are American. The skeletons add the forms that other people write: a 1 with a flag, a crossed 7, a 9
that ends in a curl, digits of straight lines drawn with a mouse.
"""

import functools
import math
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tenfold import pool
from tenfold.handwriting import picture

# One skeleton per way to write a digit. Points are x,y in percent of the height, y downwards; a * after a point makes
# it a corner, and / lifts the pen.
SKELETONS: tuple[dict[str, str], ...] = (
    {
        "round": "36,0 13,10 0,45 8,85 33,100 58,87 68,50 58,12 36,0",
        "from the right": "60,15 40,0 12,15 0,50 12,88 38,100 62,80 66,45 55,10 30,2",
        "not closed": "50,4 25,2 5,25 0,60 15,95 42,98 65,70 66,30 56,10",
        "closed by a tail": "45,5 15,8 0,45 10,90 38,100 64,75 66,30 45,5 25,0 5,8",
        "open at the side": "10,25 35,0 65,20 72,60 52,97 22,97 0,70",
        "with a loop": "45,0 15,12 0,50 12,92 40,100 65,75 66,30 45,3 28,12 35,28 52,20",
        "ending inside": "52,2 20,5 0,45 10,90 40,100 65,75 65,30 45,8 25,25 22,48",
        "slashed": "36,0 13,10 0,45 8,85 33,100 58,87 68,50 58,12 36,0 / 75,0 -5,100",
        "slashed inside": "36,0 13,10 0,45 8,85 33,100 58,87 68,50 58,12 36,0 / 52,18 16,82",
        "wide": "60,0 20,12 0,50 20,90 60,100 105,88 125,50 105,12 60,0",
        "box": "0,5* 60,0* 65,100* 5,100* 0,5",
        "two halves": "36,0 8,15 0,55 12,92 36,100 / 33,2 60,15 68,50 60,85 36,100",
    },
    {
        "bare": "0,0 0,100",
        "bent": "8,0 0,45 2,100",
        "flag": "0,38 35,0* 35,100",
        "short flag": "0,18 22,0* 22,100",
        "flat flag": "0,22 28,0* 26,100",
        "long flag": "0,68 42,0* 46,100",
        "slanting": "0,34 46,0* 18,100",
        "slanting, long flag": "0,50 58,0* 30,100",
        "inverted V": "0,95 38,0* 58,100",
        "curved flag": "0,52 22,38 42,0* 40,100",
        "hanging flag": "0,32 14,34 36,0* 34,100",
        "flag and foot": "0,28 32,0* 32,100 / 0,100 64,100",
        "long flag and foot": "0,55 40,0* 40,100 / 12,100 70,98",
        "foot": "25,0 25,100 / 0,100 50,100",
        "serifs": "0,8 22,0* 22,100 / 2,100 42,100",
        "joined foot": "0,28 32,0* 32,100* 5,100* 62,100",
        "hook": "0,30 30,0* 28,80 34,97 48,96",
        "loop": "0,62 30,38 44,8 36,0 27,12 27,55 26,100",
        "loop, led in from below": "0,92 30,70 58,20 52,0 40,14 46,60 44,100",
        "loop and foot": "0,58 26,40 42,10 34,0 26,14 28,100 / 4,100 56,100",
        "retraced": "14,45 28,14 34,0 30,30 28,100",
    },
    {
        "round": "2,25 15,4 38,0 62,14 60,38 38,66 0,100* 70,100",
        "small head": "8,18 25,0 48,8 46,32 25,70 0,98* 68,96",
        "z": "0,3 64,0* 0,100* 68,98",
        "round z": "0,14 16,2 60,2 54,28 0,98* 66,100",
        "z with a dip": "0,10 12,6 36,12 66,0* 6,96* 30,92 70,100",
        "loop": "2,22 22,0 52,6 58,30 38,66 12,96 0,88 12,76 34,88 72,98",
        "flat loop": "4,20 28,0 56,14 48,48 20,90 2,96 4,82 24,84 46,98 76,90",
        "curled head": "26,30 8,30 6,10 30,0 58,10 58,36 34,70 0,100* 68,98",
        "curled head and loop": "30,26 16,34 6,18 24,0 54,8 54,36 24,84 4,98 2,82 22,82 44,97 70,92",
        "swan": "4,28 14,4 40,0 56,20 44,52 4,96* 26,92 46,98 72,86",
        "round foot": "2,24 26,0 56,10 50,40 18,72 4,92 28,99 68,96",
        "short": "0,20 24,0 58,8 56,34 6,98* 48,96",
        "hook": "2,34 4,8 34,0 62,18 46,54 6,98* 66,98* 66,86",
        "wide": "0,24 28,0 68,6 74,36 44,70 0,98* 92,98",
    },
    {
        "round": "2,12 26,0 56,10 54,36 26,47* 58,56 66,80 40,100 0,92",
        "soft": "0,14 24,0 52,10 52,34 34,48 54,62 60,84 34,100 2,94",
        "flat top": "2,0 60,0* 22,42* 54,48 64,72 42,98 0,94",
        "flat top, round belly": "4,2 62,2* 28,38 56,44 70,66 58,94 24,100 0,88",
        "loop": "2,14 26,0 56,8 54,32 30,50 18,46 30,38 58,54 64,80 38,100 0,94",
        "long loop": "4,14 28,0 58,10 44,38 8,52 6,42 40,44 64,62 58,92 22,100 0,88",
        "small head": "10,10 28,0 44,10 40,30 22,40* 56,52 64,80 36,100 0,92",
        "small belly": "0,12 28,0 60,14 54,42 24,54* 50,62 54,84 32,100 4,96",
        "arrows": "4,2 58,22 22,48* 62,72 2,100",
        "of lines": "2,2* 58,4* 24,46* 62,70* 4,100",
        "curled ends": "14,22 4,12 24,0 54,12 48,38 24,46* 58,58 60,88 28,100 4,88 14,76",
        "long tail": "4,8 32,0 58,12 30,40* 62,52 60,82 24,100 -16,92",
        "slanting": "10,10 38,0 66,12 36,44* 60,56 52,86 20,100 0,90",
        "wide": "0,14 36,0 72,12 66,38 30,48* 76,58 80,84 46,100 0,92",
    },
    {
        "open": "22,0 0,62* 70,62 / 48,28 46,100",
        "open, tall": "8,0 4,52* 62,52 / 56,0 56,100",
        "open, curved": "6,0 2,36 18,54 56,46 / 60,0 52,100",
        "open, one stroke": "6,2 2,40 22,54 58,42 / 62,4* 54,100",
        "like a y": "4,0 2,34 22,48 54,36 60,2* 56,60 46,100",
        "like a u": "4,6 4,38 26,50 52,38 54,4* 52,100",
        "closed": "46,0 0,66* 68,66 / 46,0 46,100",
        "closed in one stroke": "66,68 0,68* 46,0* 46,100",
        "closed, from the top": "46,2 2,62* 46,58 50,4* 46,100",
        "lightning": "44,0 0,60* 68,52* 44,100",
        "lightning, looped": "40,0 2,58* 50,62 66,44 54,42 40,100",
        "lightning, footed": "52,2 0,70* 60,68* 78,98",
        "low bowl": "38,0 4,54 10,76 56,82 / 66,40 54,62 58,100",
        "wedge": "48,0 0,62* 58,62 / 48,34 74,100",
        "low stem": "34,0 2,58* 72,56 / 50,38 40,100",
        "low bar": "28,0 2,70* 68,76 / 66,46 54,100",
        "lightning, round": "38,0 4,44 8,62 66,54* 46,100",
        "crossing far": "30,0 0,56* 84,56 / 44,26 38,100",
        "long tail": "40,0 0,46* 56,46 / 52,10 44,84 20,100",
        "script": "30,0 4,54* 24,60 60,42 / 62,18 40,100",
        "steep": "14,0 6,64* 56,60 / 44,30 42,100",
        "footed": "46,0 0,66* 68,66 / 46,0 46,100 / 28,100 64,100",
    },
    {
        "one stroke": "60,0 14,0* 8,44* 38,36 62,58 56,88 28,100 0,92",
        "bar apart": "10,2 6,42* 36,36 62,56 58,86 28,100 0,92 / 10,2 60,0",
        "bar away": "12,12 8,46* 38,40 62,60 56,88 28,100 0,92 / 20,0 66,-4",
        "like an S": "60,4 30,0 8,16 14,38 46,50 60,72 42,96 16,100 0,90",
        "soft, flat head": "66,2 24,2 10,22 18,42 50,50 60,74 40,98 0,96",
        "of lines": "56,0* 4,0* 2,46* 56,46* 58,98* 0,100",
        "slanting": "70,0 28,2* 14,42* 44,38 58,60 42,90 0,100",
        "small belly": "56,0 16,0* 10,52* 34,50 48,66 40,92 4,100",
        "large belly": "60,0 16,2* 10,30* 46,26 72,52 60,90 26,100 0,88",
        "straight belly": "58,0 12,0* 8,40* 50,48 54,78* 0,100",
        "curled tail": "58,0 14,0* 8,42* 40,36 62,60 52,92 18,100 4,88 16,80",
        "curled head": "64,10 48,0 16,4* 8,44* 36,36 62,58 52,92 16,100 0,90",
        "long bar": "84,0 16,2* 8,42* 38,38 58,60 48,92 0,98",
        "from the bar's end": "8,0* 10,44* 40,38 62,58 56,88 26,100 0,90 / 8,0 70,2",
        "shallow": "60,0 10,2* 6,40 30,44 54,50 60,78 34,100 0,98",
    },
    {
        "round": "54,2 20,18 2,55 6,88 32,100 58,86 58,62 34,52 6,72",
        "like a b": "8,0 2,52 4,86 26,100 54,90 58,64 34,52 4,72",
        "straight": "36,0 8,48 2,82 24,100 52,92 56,68 34,58 6,78",
        "hooked": "64,16 46,0 16,16 0,55 8,90 34,100 60,84 56,60 30,54 4,74",
        "not closed": "50,0 14,24 0,66 14,96 42,98 58,78 46,58 24,62",
        "loop not closed": "54,2 16,20 0,62 12,96 44,98 60,74 46,56 26,60 18,72",
        "small loop": "50,0 16,30 2,76 14,99 38,96 42,76 24,68 6,82",
        "large loop": "46,0 16,16 0,52 8,90 38,100 66,82 62,48 36,36 4,58",
        "spiral": "56,4 20,14 0,55 10,92 40,100 58,78 44,58 24,66 28,80",
        "leaning": "96,4 52,8 12,40 2,74 20,97 56,96 76,78 60,62 28,64 6,80",
        "arrow": "48,0* 2,60* 24,100* 54,74* 6,62",
        "wide": "70,0 28,16 0,58 16,94 52,100 82,84 76,60 44,52 8,68",
        "loop crossing": "48,0 12,30 2,76 26,100 56,84 50,60 20,62 -8,76",
    },
    {
        "plain": "0,0 60,0* 20,100",
        "steep": "0,2 52,0* 46,100",
        "curved": "0,4 30,6 62,0* 36,42 24,100",
        "bent": "0,0 60,0* 34,44 30,100",
        "serif": "0,18 2,0* 60,0* 22,100",
        "waved": "0,14 12,2 36,10 62,0* 26,100",
        "round": "2,10 20,0 54,0 58,16 36,52 24,100",
        "crossed": "0,0 60,0* 22,100 / 10,52 58,50",
        "crossed, steep": "0,2 54,0* 46,100 / 20,46 76,46",
        "crossed, serif": "0,18 2,0* 60,0* 24,100 / 8,52 60,48",
        "crossed, curved": "0,4 30,8 64,0* 38,46 26,100 / 10,54 66,46",
        "crossed, waved": "0,16 12,2 36,10 62,0* 28,100 / 4,50 60,44",
        "crossed aslant": "0,4 62,0* 22,100 / 14,38 56,62",
        "crossed upwards": "0,6 60,0* 24,100 / 8,64 62,36",
        "crossed by a wave": "0,8 14,2 40,8 60,0* 34,100 / 4,54 24,42 44,54 66,42",
        "crossed low": "0,0 58,0* 24,100 / 6,66 50,64",
        "long head": "-10,4 70,0* 34,100",
        "hook": "0,20 0,2* 58,0* 34,52 28,90 40,100",
    },
    {
        "one stroke": "56,14 36,0 10,12 14,34 46,54 60,78 40,100 10,96 2,74 24,52 52,34 56,14",
        "from the middle": "32,48 8,28 20,2 50,4 54,26 32,48 4,68 8,94 38,100 60,82 52,60 32,48",
        "two circles": "34,0 12,8 12,34 34,46 56,36 56,8 34,0 / 34,46 6,56 4,88 34,100 62,88 62,58 34,46",
        "two circles apart": "34,0 14,10 16,36 36,42 54,32 52,8 34,0 / 30,52 6,62 6,92 34,100 60,88 56,58 30,52",
        "open at the top": "62,4 34,2 10,14 20,38 52,58 58,86 30,100 4,88 12,64 46,34 72,10",
        "bottom not closed": "32,46 12,34 14,8 36,0 56,12 52,36 30,48 56,62 60,88 34,100 6,92 0,72 18,58",
        "head open at the left": "12,16 34,0 54,12 46,36 16,58 4,80 24,100 54,92 58,68 34,48 14,34",
        "top not closed": "58,16 36,0 12,10 14,34 46,54 58,80 36,100 8,92 6,70 30,50 48,34",
        "an S and a line": "60,8 34,0 8,18 24,42 52,58 58,84 30,100 4,90* 62,6",
        "of lines": "0,0* 54,0* 0,100* 58,100* 0,0",
        "hourglass": "4,4 52,2 26,50 2,96 56,98 28,50 4,4",
        "small head": "44,12 32,0 18,10 22,28 50,52 62,80 38,100 8,96 2,74 22,50 44,28 44,12",
        "large head": "62,16 36,0 4,14 8,44 46,62 52,86 34,100 14,94 10,76 30,58 60,40 62,16",
        "leaning": "84,12 58,0 34,14 38,36 54,56 46,88 18,100 0,84 12,62 58,44 84,12",
        "boxes": "6,0* 54,0* 52,46* 4,46* 6,0 / 4,46* 0,100* 60,100* 52,46",
        "bar and loop": "74,2 36,0 10,18 26,42 52,60 52,88 26,100 4,86 16,60 50,36 58,8",
        "narrow": "30,10 20,0 6,12 10,36 26,56 32,80 18,100 2,86 6,60 24,38 30,10",
    },
    {
        "straight": "54,12 28,0 2,16 6,42 32,48 54,16* 54,100",
        "slanting": "56,12 32,0 4,16 8,42 34,48 58,12* 38,100",
        "round": "54,16 28,0 2,18 8,44 36,48 54,22 56,58 30,100",
        "curled": "54,14 28,0 2,18 8,44 36,48 54,16* 56,74 36,100 2,90",
        "like a g": "52,12 26,0 2,16 6,40 32,44 52,14* 54,84 34,100 2,86",
        "with a g's loop": "52,12 26,0 2,16 6,40 32,44 52,14* 54,80 32,100 4,90 24,74 62,62",
        "long tail": "60,10 38,0 14,14 18,36 42,38 60,14* 62,66 40,98 -20,96",
        "flat tail": "50,10 28,0 8,14 12,34 36,36 52,16* 58,64 48,96 -4,98",
        "wide tail": "56,12 28,0 4,14 10,36 42,38 58,14* 66,52 52,88 -8,96",
        "loop on a bow": "28,46 8,30 12,6 44,0 66,14 50,38 24,48 56,66 60,88 30,96 -8,94",
        "loop on a line": "36,40 6,24 14,2 50,0 66,16 44,38 20,44 44,64 74,100",
        "like a rho": "44,36 62,32 64,4 46,2 28,26 -8,100",
        "small loop on a bow": "24,34 8,24 14,6 36,2 40,20 22,32 52,46 64,66 46,92 -4,98",
        "s-like tail": "48,10 24,2 6,16 18,34 44,30 50,12 60,60 44,94 0,98",
        "not closed": "54,4 28,2 4,20 12,44 38,42 50,30 / 54,4* 52,100",
        "loop not closed": "46,8 22,2 2,22 12,44 40,36 54,6* 50,100",
        "curled, not closed": "42,10 22,0 2,18 10,42 38,40 56,10* 56,76 36,100 4,92",
        "of lines": "52,4* 4,0* 2,44* 52,46* 52,0* 54,100",
        "of lines, footed": "52,46* 2,44* 4,0* 54,0* 54,98* 2,100",
        "arrow": "50,28* 24,0* 2,26* 26,48* 50,10* 44,100",
        "like a p": "34,44 6,36 6,10 34,0 56,14 46,38 30,46 / 58,4* 30,100",
        "small head": "44,10 26,0 10,12 18,30 40,26 46,8* 50,60 34,100",
        "spiral": "40,20 24,12 14,26 30,38 50,24 38,0 8,8 2,36 30,50 54,28* 54,72 36,100",
        "hooked": "54,12 28,0 2,16 8,42 36,46 54,14* 52,84 66,98",
    },
)
SEGMENTS = {  # of a display
    "a": "0,0* 50,0",
    "b": "50,0* 50,50",
    "c": "50,50* 50,100",
    "d": "0,100* 50,100",
    "e": "0,50* 0,100",
    "f": "0,0* 0,50",
    "g": "0,50* 50,50",
}
DISPLAYS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
SPARSER = {6: "cdefg", 7: "abcf", 9: "abcfg"}

DISPLAYED = 0.02  # of the digits: more of them, and 5s with a closed belly are taken for a 6
BLOCK = 50  # pictures that one task draws
FINER = 3  # pixels drawn for one of a picture

Strokes = list[np.ndarray]  # float64 [N, 2] each


def samples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` digits as the contract reads them, uint8 `[N, 28, 28]`, and their labels, int64 `[N]`.

    Digit `i` has the label `i % 10`, and depends on `seed` and `i` alone.
    """
    starts = iter(range(0, count, BLOCK))
    images = np.empty((count, picture.SIDE, picture.SIDE), np.uint8)

    def draw() -> tuple[slice, partial[np.ndarray]] | None:
        start = next(starts, None)
        if start is None:
            return None
        block = range(start, min(start + BLOCK, count))
        return slice(block.start, block.stop), partial(_images, seed, block)

    with pool.started(min(pool.cores(), max(1, count // BLOCK))) as workers:
        for at, result in workers.completed(draw):
            images[at] = result()
    return images, np.arange(count) % len(SKELETONS)


def _images(seed: int, numbers: range) -> np.ndarray:
    """Return the digits of these numbers, uint8 `[N, 28, 28]`."""
    return np.stack([_image(np.random.default_rng([seed, number]), number % len(SKELETONS)) for number in numbers])


def _image(rng: np.random.Generator, digit: int) -> np.ndarray:
    """Draw a digit until the contract reads one, uint8 `[28, 28]`."""
    while (image := picture.read(draw(rng, choose(rng, digit))).image) is None:
        pass
    return image


def choose(rng: np.random.Generator, digit: int) -> str:
    """Return a skeleton of a digit, now and then that of a display."""
    if rng.random() < DISPLAYED:
        segments = SPARSER[digit] if digit in SPARSER and rng.random() < 0.5 else DISPLAYS[digit]
        return " / ".join(SEGMENTS[segment] for segment in segments)
    return str(rng.choice(list(SKELETONS[digit].values())))


def draw(rng: np.random.Generator, skeleton: str) -> np.ndarray:
    """Draw a skeleton with random variation, as a grey picture, uint8 `[H, W]`."""
    stretched = rng.random() < 0.2
    size = rng.uniform(16, 36) if stretched or rng.random() < 0.4 else rng.uniform(36, 80)  # pixels, the longer side
    coverage = _rendered(rng, _varied(rng, skeleton), size, _width(rng))
    if stretched:
        coverage = _stretched(rng, coverage)
    return _scanned(rng, coverage)


@functools.cache
def _parsed(skeleton: str) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return each stroke's points, float64 `[N, 2]`, and which of them are corners, bool `[N]`."""
    strokes = []
    for stroke in skeleton.split("/"):
        words = stroke.split()
        points = np.array([word.rstrip("*").split(",") for word in words], np.float64)
        strokes.append((points, np.array([word.endswith("*") for word in words])))
    return tuple(strokes)


def _varied(rng: np.random.Generator, skeleton: str) -> Strokes:
    """Return the paths of a skeleton as one hand draws it once, each float64 `[N, 2]`."""
    parsed = _parsed(skeleton)
    smooth, unsteady = rng.random() < 0.85, rng.choice([1.0, 2.5, 4.0])
    where, which = np.unique(np.concatenate([points for points, _ in parsed]), axis=0, return_inverse=True)
    moved = (where + rng.normal(0, unsteady, where.shape))[which.ravel()]  # what meets in the skeleton still meets
    strokes, start = [], 0
    for points, corners in parsed:
        own = moved[start : start + len(points)]
        start += len(points)
        if len(parsed) > 1:
            own = own + rng.normal(0, 2.5, 2)
        for end, beside in ((0, 1), (-1, -2)):  # ends overshoot or fall short
            along = own[end] - own[beside]
            own[end] += along / max(math.hypot(*along), 1) * rng.normal(0, 4)
        strokes.append(_path(own, corners, smooth))
    angle, slant, aspect = np.radians(rng.normal(0, 5)), rng.normal(0.05, 0.23), np.exp(rng.normal(0, 0.2))
    turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turned @ np.array([[aspect, -slant], [0, 1]])
    bend, phase = rng.normal(0, 4, 2), rng.uniform(0, 2 * np.pi, 2)
    bent = [path + bend * np.sin(path[:, ::-1] / 40 + phase) for path in strokes]
    paths = [path @ linear.T for path in bent]
    return _broken(rng, paths) if rng.random() < 0.05 else paths


def _path(points: np.ndarray, corners: np.ndarray, smooth: bool) -> np.ndarray:
    """Return the path through points `[N, 2]`, float64: straight, or smooth but for corners (Catmull-Rom splines)."""
    if not smooth:
        return points
    t = np.linspace(0, 1, 9)[:, None]
    basis = (
        np.hstack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]) / 2
    )  # [9, 4]
    inner = np.flatnonzero(corners[1:-1]) + 1
    paths = []
    for run in np.split(np.arange(len(points)), inner):
        # A corner ends a run and begins the next.
        own = points[run[0] : min(run[-1] + 2, len(points))]
        around = np.concatenate([2 * own[:1] - own[1:2], own, 2 * own[-1:] - own[-2:-1]])
        fours = np.stack([around[at : len(around) - 3 + at] for at in range(4)], axis=1)  # [N - 1, 4, 2]
        paths.append((basis @ fours).reshape(-1, 2))
    return np.concatenate(paths)


def _broken(rng: np.random.Generator, paths: Strokes) -> Strokes:
    """Return the paths with a small gap in one of them."""
    at = int(rng.integers(len(paths)))
    path = paths[at]
    along = np.concatenate([[0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
    fine = np.linspace(0, along[-1], 60)
    path = np.stack([np.interp(fine, along, path[:, axis]) for axis in (0, 1)], axis=1)
    middle, half = rng.uniform(0.1, 0.9) * along[-1], rng.uniform(3, 7)
    pieces = [path[fine < middle - half], path[fine > middle + half]]
    return paths[:at] + [piece for piece in pieces if len(piece) > 1] + paths[at + 1 :]


def _width(rng: np.random.Generator) -> float:
    """Return a pen's width as a share of the digit's size: a pencil's, a pen's or a brush's."""
    least, most = ((0.015, 0.05), (0.05, 0.12), (0.12, 0.2))[rng.choice(3, p=(0.35, 0.5, 0.15))]
    return float(rng.uniform(least, most))


def _rendered(rng: np.random.Generator, paths: Strokes, size: float, width: float) -> np.ndarray:
    """Draw paths with a pen under uneven pressure: how much of each pixel is ink, float32 `[H, W]`, 0 to 1."""
    every = np.concatenate(paths)
    low, high = every.min(0), every.max(0)
    scale = size / max(*(high - low), 1) * FINER
    pen = max(width * size, 1) * FINER
    before, after = rng.uniform(0.08, 0.4, (2, 2)) * size * FINER + pen  # margins: left, top; right, bottom
    canvas = Image.new("L", [math.ceil(side) for side in (high - low) * scale + before + after])
    pencil = ImageDraw.Draw(canvas)
    pressure, waves, phase = rng.uniform(0, 0.45), rng.uniform(0.01, 0.05), rng.uniform(0, 2 * np.pi)
    lightest = rng.uniform(0.6, 1)
    for path in paths:
        points = (path - low) * scale + before
        along = np.concatenate([[0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
        pressed = (1 + np.sin(along * waves * 2 * np.pi + phase)) / 2  # [N], 0 to 1
        widths = pen * (1 - pressure * pressed)
        inks = np.rint(255 * (1 - (1 - lightest) * pressed)).astype(int)
        for (x0, y0), (x1, y1), wide, ink in zip(points, points[1:], widths[1:], inks[1:], strict=False):
            fill, half = int(ink), wide / 2
            pencil.line([x0, y0, x1, y1], fill, max(1, round(wide)))
            pencil.ellipse([x1 - half, y1 - half, x1 + half, y1 + half], fill)
        (x0, y0), half = points[0], widths[0] / 2
        pencil.ellipse([x0 - half, y0 - half, x0 + half, y0 + half], int(inks[0]))
    return np.asarray(canvas.reduce(FINER), np.float32) / 255


def _stretched(rng: np.random.Generator, coverage: np.ndarray) -> np.ndarray:
    """Return a digit stretched to fill a small square, in black and white, as some data sets keep it."""
    rows, columns = np.flatnonzero((coverage > 0.3).any(1)), np.flatnonzero((coverage > 0.3).any(0))
    if not len(rows):
        return coverage
    own = coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = int(rng.integers(14, 33))
    square = np.asarray(Image.fromarray(own).resize((side, side), Image.Resampling.BILINEAR))
    return np.pad((square > rng.uniform(0.25, 0.55)).astype(np.float32), int(rng.integers(2, 9)))


def _scanned(rng: np.random.Generator, coverage: np.ndarray) -> np.ndarray:
    """Return ink on paper as a scan, a photograph or a drawing program has it, uint8 `[H, W]`."""
    ink = coverage
    if rng.random() < 0.2:  # black and white: thin strokes break, or all grow
        ink = (ink > rng.uniform(0.15, 0.45)).astype(np.float32)
    if rng.random() < 0.4:
        blurred = Image.fromarray(np.uint8(ink * 255)).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
        ink = np.asarray(blurred, np.float32) / 255
    if rng.random() < 0.3:  # a pencil's grain
        ink = ink * rng.uniform(rng.uniform(0.3, 1), 1, ink.shape)
    contrast = rng.uniform(0.25, 1) if rng.random() < 0.5 else 1
    paper = 1 - rng.uniform(0, 1 - contrast)
    light = np.full(ink.shape, paper)
    if rng.random() < 0.3:  # light from one side
        y, x = np.mgrid[: ink.shape[0], : ink.shape[1]] / max(ink.shape) - 0.5
        light = light * (1 + rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.25, 0.25) * y)
    values = light - contrast * ink
    if rng.random() < 0.4:
        values = values + rng.normal(0, rng.uniform(0, 0.03), ink.shape)
    grey: np.ndarray = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return 255 - grey if rng.random() < 0.25 else grey
