import numpy as np
import pytest
import torch

from tenfold import architectures, networks
from tenfold.frameworks import pytorch
from test_networks import lively_weights

LINEAR = (networks.Flatten(), networks.Dense(10))


def _logit_and_black(module, images):
    logits = pytorch.logits(module, images, "mnist")
    predicted = logits.argmax(1)
    black = pytorch.logits(module, np.zeros((1, 28, 28), np.uint8), "mnist")[0]
    return logits[np.arange(len(images)), predicted], black[predicted]


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_the_shares_add_up_for_every_network(name, mnist):
    network = architectures.build(name, {}, 10)
    module = pytorch.build(network, lively_weights(network))
    shares = pytorch.integrated_gradients(module, mnist.images[:8], "mnist")
    logit, black = _logit_and_black(module, mnist.images[:8])
    np.testing.assert_allclose(shares.sum((1, 2)), logit - black, atol=0.1 * np.abs(logit - black).max())


def test_the_shares_of_a_linear_network_are_what_finite_differences_say(mnist):
    module = pytorch.build(LINEAR, networks.initial_weights(LINEAR, 0))
    image = mnist.images[0]
    (shares,) = pytorch.integrated_gradients(module, image[None], "mnist")
    predicted = pytorch.logits(module, image[None], "mnist")[0].argmax()
    for row, column in np.argwhere((image > 0) & (image < 255))[::7]:
        above, below = image.copy(), image.copy()
        above[row, column], below[row, column] = 255, 0
        change = np.diff(pytorch.logits(module, np.stack([below, above]), "mnist")[:, predicted])[0]
        assert shares[row, column] == pytest.approx(change / 255 * image[row, column], abs=1e-4)


def test_black_pixels_have_no_share_and_the_module_is_left_as_it_was(run, mnist):
    module = pytorch.build(run.recipe.layers(), run.weights()).train()
    shares = pytorch.integrated_gradients(module, mnist.images[:3], "mnist")
    assert not shares[mnist.images[:3] == 0].any()
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    untouched = pytorch.build(run.recipe.layers(), run.weights()).state_dict()  # running statistics, too
    assert all(torch.equal(value, untouched[name]) for name, value in module.state_dict().items())
