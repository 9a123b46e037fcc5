"""Handwriting: any picture → 28×28 as MNIST was made (`decode → ink → stroke → digit`), rows, synthetic strokes."""
