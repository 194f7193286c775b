import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from patlib.datasets import Split
from patlib.metrics import ReleasedMeanIoU
from patlib.trainer.batches import DeviceSplit
from patlib.trainer.counts import unpack_counts
from patlib.trainer.evaluate import TAUS, Forgetting, evaluate, measure

CPU = torch.device("cpu")
CLASS_PIXELS = torch.tensor([40, 20, 0, 10])


@pytest.fixture
def split():
    """Five images 3x5 of four classes and void: no size is a multiple of another or of eight."""
    generator = np.random.default_rng(1)
    masks = generator.choice([0, 1, 2, 3, 255], (5, 3, 5)).astype(np.uint8)
    images = generator.integers(0, 256, (5, 3, 5, 3)).astype(np.uint8)
    return DeviceSplit(Split(images, masks, tuple("abcde")), CPU)


@pytest.fixture
def network():
    """A pixel-wise classifier with dropout and batch norm, which know training from evaluation."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.9), nn.Conv2d(4, 4, 1))
    network[3].weight.data *= 20  # logits as far apart as the log prior
    return network


@pytest.fixture
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def logits_of(network, split):
    with torch.no_grad():
        return network.eval()(split.batch(torch.arange(len(split.names)))[0])


def confusions(labels, masks):
    """The confusion matrix of every image, pixel by pixel."""
    counts = np.zeros((len(masks), 4, 4), dtype=int)
    for image, row, column in np.argwhere(masks.numpy() != 255):
        counts[image, masks[image, row, column], labels[image, row, column]] += 1
    return counts


def test_evaluation_is_of_the_network_as_it_predicts_and_changes_nothing(network, split):
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    metrics = evaluate(network, split, 4, batch_size=2)
    assert not any(module.training for module in network.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    expected = confusions(logits_of(network, split).argmax(1), split.masks).sum(0)
    assert metrics.confusion.tolist() == expected.tolist()


def test_other_metrics_see_the_same_batches_without_a_gradient(network, split):
    seen = []

    class Other(ReleasedMeanIoU):
        def update(self, predictions, target):
            seen.append((predictions, target))

    evaluate(network, split, 4, 2, Other())
    assert [len(logits) for logits, _ in seen] == [2, 2, 1]
    assert not any(logits.requires_grad for logits, _ in seen)
    assert torch.equal(torch.cat([target for _, target in seen]).byte(), split.masks)


def test_measured_are_the_confusions_of_every_image_and_their_sum(network, split, fabric):
    measured = measure(network.train(), split, CLASS_PIXELS, 2, fabric, train=False)
    logits = logits_of(network, split)
    images = confusions(logits.argmax(1), split.masks)
    assert np.array_equal(unpack_counts(measured["images"]), images)
    assert measured["confusion"] == images.sum(0).tolist()
    truth = split.masks.long()
    nll = nn.functional.cross_entropy(logits, truth, ignore_index=255)
    assert measured["cross_entropy"] == pytest.approx(nll.item(), rel=1e-5)


def test_shifted_are_the_confusions_of_logits_less_tau_times_the_log_prior(network, split, fabric):
    measured = measure(network, split, CLASS_PIXELS, 2, fabric, train=False)
    prior = np.array([40, 20, 1, 10]) / 71  # a class without a pixel counts as having one
    logits = logits_of(network, split)
    assert measured["shifted"].keys() == {str(tau) for tau in TAUS}
    for tau in TAUS:
        labels = np.argmax(logits.numpy() - tau * np.log(prior)[:, None, None], 1)
        expected = confusions(labels, split.masks).sum(0).tolist()
        assert measured["shifted"][str(tau)] == expected
        assert expected != measured["confusion"]
        assert np.count_nonzero(np.sum(expected, 0)) > 1  # and not the class without a pixel everywhere


def test_the_released_mean_iou_leaves_void_out(split, fabric):
    class Drawn(nn.Module):
        """Predicts what was drawn, so that every class is predicted where there is void too."""

        def forward(self, images):
            return logits

    logits = torch.randn(5, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    measured = measure(Drawn(), split, CLASS_PIXELS, 5, fabric, train=False)
    labels, masks = logits.argmax(1).numpy(), split.masks.numpy()
    valid = masks != 255
    assert set(labels[~valid]) == {0, 1, 2, 3}
    ious = []
    for label in range(3):
        true, predicted = (masks == label) & valid, (labels == label) & valid
        ious.append((true & predicted).sum() / (true | predicted).sum())
    assert measured["released_miou"] == pytest.approx(np.mean(ious), rel=1e-6)


def test_of_the_training_split_only_the_sums_are_kept(network, split, fabric):
    measured = measure(network, split, CLASS_PIXELS, 2, fabric, train=True)
    whole = measure(network, split, CLASS_PIXELS, 2, fabric, train=False)
    assert measured.keys() == {"confusion", "cross_entropy", "released_miou"}
    assert measured == {name: whole[name] for name in measured}


def one_hot(labels):
    return nn.functional.one_hot(torch.as_tensor(labels), 4).movedim(-1, 1).float()


def test_forgotten_is_what_was_right_and_is_wrong_by_its_true_class():
    forgetting = Forgetting(4)
    truth = torch.tensor([[[0, 1, 1, 3, 255]]])
    forgetting.update(one_hot([[[0, 1, 1, 0, 2]]]), truth)
    assert forgetting.next_epoch() == [0, 0, 0, 0]
    forgetting.update(one_hot([[[2, 1, 0, 3, 1]]]), truth)  # forgets a 0 and a 1, learns the 3
    assert forgetting.next_epoch() == [1, 1, 0, 0]
    forgetting.update(one_hot([[[2, 0, 0, 0, 2]]]), truth)  # what was wrong already is not forgotten again
    assert forgetting.next_epoch() == [0, 1, 0, 1]


@pytest.mark.filterwarnings("ignore:The ``compute`` method")  # before an update, of which the first process alone warns
def test_a_process_without_a_batch_asks_the_group_as_often_as_one_that_has_some(monkeypatch):
    asked = []
    for batches in (0, 1):  # a process that did not ask would leave the others waiting for it
        forgetting = Forgetting(4)
        monkeypatch.setattr(forgetting, "_to_sync", True)
        forgetting.distributed_available_fn = lambda: True
        forgetting.dist_sync_fn = lambda tensor, group, asked=asked, batches=batches: asked.append(batches) or [tensor]
        for _ in range(3):
            for _ in range(batches):
                forgetting.update(one_hot([[[0, 1]]]), torch.tensor([[[0, 1]]]))
            forgetting.next_epoch()
    assert asked.count(0) == asked.count(1) > 0


def test_forgetting_compares_each_batch_with_the_same_of_the_epoch_before():
    forgetting = Forgetting(4)
    truth = torch.tensor([[[1, 1]]])
    for predicted in ([1, 1], [0, 0]):
        forgetting.update(one_hot([[predicted]]), truth)
    forgetting.next_epoch()
    for predicted in ([0, 1], [1, 1]):
        forgetting.update(one_hot([[predicted]]), truth)
    assert forgetting.next_epoch() == [0, 1, 0, 0]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 8])
def test_what_is_right_survives_packing_at_sizes_that_fill_no_byte(batch_size, split):
    torch.manual_seed(batch_size)
    forgetting, again = Forgetting(4), Forgetting(4)
    for _, masks in split.in_order(batch_size):
        forgetting.update(torch.randn(len(masks), 4, 3, 5), masks)
    forgetting.next_epoch()
    packed = forgetting.packed()
    assert packed.dtype == torch.uint8 and len(packed) == 10  # of 75 pixels
    again.unpack(packed, split, batch_size)
    assert [right.shape for right in again.before] == [right.shape for right in forgetting.before]
    assert all(torch.equal(one, other) for one, other in zip(again.before, forgetting.before, strict=True))
    for _, masks in split.in_order(batch_size):
        logits = torch.randn(len(masks), 4, 3, 5)
        forgetting.update(logits, masks)
        again.update(logits, masks)
    counts = again.next_epoch()
    assert counts == forgetting.next_epoch() and sum(counts) > 0


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_before_the_first_epoch_nothing_is_packed_and_nothing_taken_up(split):
    packed = Forgetting(4).packed()
    assert packed.numel() == 0 and packed.dtype == torch.uint8
    again = Forgetting(4)
    again.unpack(packed, split, 2)
    assert again.before == [] and again.next_epoch() == [0, 0, 0, 0]
