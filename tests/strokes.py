"""Digits as a hand draws them: strokes of points in a square of side 1, x to the right and y down."""

import math
import random

Point = tuple[float, float]


def _arc(x: float, y: float, wide: float, high: float, start: float, end: float, points: int = 9) -> list[Point]:
    """An arc of an ellipse around (x, y); degrees, 0 to the right, clockwise."""
    angles = [math.radians(start + (end - start) * at / (points - 1)) for at in range(points)]
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


DIGITS: dict[str, list[list[Point]]] = {
    "0": [_arc(0.5, 0.5, 0.19, 0.31, -100, 265, 14)],
    "1": [[(0.53, 0.18), (0.51, 0.5), (0.49, 0.82)]],
    "2": [[*_arc(0.5, 0.35, 0.19, 0.16, 200, 395), (0.5, 0.6), (0.3, 0.8), (0.5, 0.79), (0.73, 0.79)]],
    "3": [[*_arc(0.48, 0.33, 0.17, 0.15, 210, 450), *_arc(0.47, 0.65, 0.2, 0.17, -90, 150)]],
    "4": [[(0.36, 0.2), (0.28, 0.53), (0.5, 0.53), (0.72, 0.52)], [(0.62, 0.3), (0.6, 0.6), (0.59, 0.84)]],
    "5": [[(0.67, 0.2), (0.4, 0.2), (0.37, 0.45), *_arc(0.48, 0.61, 0.18, 0.18, -110, 140)]],
    "6": [[(0.6, 0.17), (0.46, 0.33), (0.37, 0.53), *_arc(0.5, 0.66, 0.14, 0.15, 180, -180, 12)]],
    "7": [[(0.28, 0.23), (0.5, 0.23), (0.71, 0.22), (0.58, 0.5), (0.47, 0.82)]],
    "8": [
        [
            *_arc(0.5, 0.33, 0.13, 0.14, -60, -270),
            *_arc(0.5, 0.64, 0.16, 0.17, -90, 270, 12),
            *_arc(0.5, 0.33, 0.13, 0.14, 90, -60),
        ]
    ],
    "9": [[*_arc(0.49, 0.36, 0.15, 0.16, 0, -360, 12), (0.64, 0.5), (0.6, 0.68), (0.55, 0.83)]],
}


def wobbly(digit: str, seed: int, strength: float = 0.008) -> list[list[Point]]:
    """The digit with a hand's unsteadiness: every point a little off, the whole turned, moved and scaled a little."""
    chance = random.Random(f"{digit} {seed}")
    turn, scale = math.radians(chance.uniform(-6, 6)), chance.uniform(0.85, 1.1)
    right, down = chance.uniform(-0.05, 0.05), chance.uniform(-0.05, 0.05)

    def shake() -> float:
        return chance.uniform(-strength, strength)

    def moved(x: float, y: float) -> Point:
        x, y = scale * (x - 0.5), scale * (y - 0.5)
        turned = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        return 0.5 + turned[0] + right + shake(), 0.5 + turned[1] + down + shake()

    return [[moved(x, y) for x, y in stroke] for stroke in DIGITS[digit]]
