"""Training as another than the first of several processes: it takes orders and its share of each batch, silently."""

import math
import signal

from tenfold import frameworks, recipes, train


def follow() -> None:
    """Train what the first of the processes that torchrun started says; all that is told and written is its.

    It needs the dataset in the cache of its machine. Raises `TenfoldError` if another process ends before its time.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # if the first one fails before it gives orders, there will be none
    framework = frameworks.load("pytorch")
    orders = framework.parallel.hand_out()
    if orders is None:
        return
    values, device, precision, begun = orders
    recipe = recipes.parse(values)
    samples = train.split_for(recipe).train
    pauses = train.pauses(recipe, len(samples))
    with train.stop_signals() as stopped:
        for state in framework.train(recipe, samples, device, precision, begun, stopped, pauses):
            if state.stopped or not math.isfinite(state.loss_sum):
                return  # the first one says so
