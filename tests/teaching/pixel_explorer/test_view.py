import numpy as np
import pytest
import torch

from patlib.losses import build_loss
from patlib.teaching.pixel_explorer import EXPLORED_METHODS, pixel_view
from patlib.teaching.weight_curve import focal_weight, pat_weight


@pytest.mark.parametrize("method", EXPLORED_METHODS)
def test_shares_are_those_of_the_whole_loss(prediction, method):
    name, fixed = EXPLORED_METHODS[method]
    loss = build_loss(name, 10, prediction.class_pixels, **fixed)
    x = torch.from_numpy(prediction.logits)[None].requires_grad_()
    torch.manual_seed(0)
    (gradient,) = torch.autograd.grad(loss(x, torch.from_numpy(prediction.target)[None]), x)
    size = gradient[0].abs().sum(0).numpy()
    gradients = np.array([size[prediction.target == label].sum() for label in range(10)])

    view = pixel_view(*prediction, method)
    assert np.allclose(view.share, gradients / gradients.sum(), rtol=1e-12)
    assert view.share.sum() == pytest.approx(1)
    assert (view.share > 0).tolist() == (view.sizes > 0).tolist()


def test_sizes_weights_and_probabilities_are_the_prediction_s_own(prediction):
    view = pixel_view(*prediction, "PAT", T=0.5, eps=0.1)
    rows, columns = np.indices(prediction.target.shape)
    valid = prediction.target != 255
    p = np.exp(prediction.logits) / np.exp(prediction.logits).sum(0)
    p = p[np.where(valid, prediction.target, 0), rows, columns]
    assert view.sizes.tolist() == [(prediction.target == label).sum() for label in range(10)]
    assert np.isnan(view.p[~valid]).all() and np.isnan(view.weight[~valid]).all()
    assert np.allclose(view.p[valid], p[valid], rtol=1e-12)
    expected = pat_weight(p, 0.5, 0.1)[valid] / view.sizes[prediction.target[valid]]
    assert np.allclose(view.weight[valid], expected, rtol=1e-12)


def test_the_curve_continues_the_pixels_weights(prediction):
    """The weight that the loss would give, with the image's own mask sizes; nothing for a class that is not there."""
    view = pixel_view(*prediction, "PAT", T=0.5, eps=0.1)
    present = view.sizes > 0
    expected = pat_weight(view.curve_p, 0.5, 0.1) / view.sizes[present][:, None]
    assert np.allclose(view.curve[present], expected, rtol=1e-12)
    assert np.isnan(view.curve[~present]).all()
    focal = pixel_view(*prediction, "focal", gamma=1.5, T=3.0)
    assert np.allclose(focal.curve[present], focal_weight(focal.curve_p, 1.5), rtol=1e-12)
    assert (pixel_view(*prediction, "LDAM").curve[present] == 1).all()


def test_eps_moves_the_curve_and_no_share(prediction):
    without, given = (pixel_view(*prediction, "PAT", T=0.5, eps=eps) for eps in (0.0, 1.0))
    assert np.allclose(given.curve, without.curve * np.exp(-2), equal_nan=True)
    assert np.allclose(given.share, without.share, rtol=1e-12)


def test_adjusted_logits_move_the_shares(prediction):
    plain = pixel_view(*prediction, "cross-entropy").share
    for method in ("balanced softmax", "LDAM", "BLV"):
        assert not np.allclose(pixel_view(*prediction, method).share, plain, rtol=1e-3)


def test_a_view_repeats_and_leaves_the_random_state_alone(prediction):
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first, second = (pixel_view(*prediction, "BLV") for _ in range(2))
    assert np.array_equal(first.share, second.share) and np.array_equal(first.p, second.p, equal_nan=True)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_unknown_method_is_named(prediction):
    with pytest.raises(ValueError, match=r"unknown method 'pat'; known: PAT, "):
        pixel_view(*prediction, "pat")


def test_a_mask_of_void_alone_is_refused(prediction):
    with pytest.raises(ValueError, match="every pixel of the mask is void"):
        pixel_view(prediction.logits, np.full_like(prediction.target, 255), prediction.class_pixels)
