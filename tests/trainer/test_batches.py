import numpy as np
import torch

from patlib.trainer.batches import DeviceSplit, mirror, shuffled

CPU = torch.device("cpu")


def test_mirroring_turns_image_and_mask_together():
    masks = torch.arange(2 * 3 * 4).view(2, 3, 4)
    images = masks.unsqueeze(3).expand(2, 3, 4, 3)
    turned, turned_masks = mirror(images, masks, torch.tensor([True, False]))
    assert torch.equal(turned_masks[0], masks[0].flip(1))
    assert torch.equal(turned_masks[1], masks[1])
    assert torch.equal(turned[..., 0], turned_masks)


def test_a_batch_is_channels_last_and_mirrored_where_asked(tiny_dataset):
    split = DeviceSplit(tiny_dataset.splits["train"], CPU)
    rows = torch.tensor([3, 1])
    images, masks = split.batch(rows)
    turned, turned_masks = split.batch(rows, torch.tensor([False, True]))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert turned.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(turned[0], images[0]) and torch.equal(turned[1], images[1].flip(2))
    assert torch.equal(turned_masks[0], masks[0]) and torch.equal(turned_masks[1], masks[1].flip(1))


def test_batches_cover_a_split_once_and_in_order(tiny_dataset):
    split = DeviceSplit(tiny_dataset.splits["train"], CPU)
    batches = list(split.in_order(4))
    assert [len(images) for images, _ in batches] == [4, 4, 2]
    assert torch.equal(torch.cat([masks for _, masks in batches]).byte(), split.masks)
    images = torch.cat([images for images, _ in batches])
    assert images.shape == (10, 3, 16, 20)
    assert 0 <= images.min() <= images.max() <= 1
    expected = tiny_dataset.splits["train"].images[3, 2, 1] / 255
    assert np.allclose(images[3, :, 2, 1].numpy(), expected, atol=1e-6)


def test_processes_share_the_batches_of_a_split_and_the_rows_of_a_batch(tiny_dataset):
    parts = [DeviceSplit(tiny_dataset.splits["train"], CPU, rank, 3) for rank in range(3)]
    batches = list(DeviceSplit(tiny_dataset.splits["train"], CPU).in_order(2))
    for rank, part in enumerate(parts):
        own = [masks for _, masks in part.in_order(2)]
        assert len(own) == len(batches[rank::3])
        assert all(torch.equal(one, masks) for one, (_, masks) in zip(own, batches[rank::3], strict=True))
    rows = torch.tensor([5, 2, 8, 1])
    assert [part.share(rows).tolist() for part in parts] == [[5, 2], [8], [1]]
    assert [len(part.share(rows[:1])) for part in parts] == [1, 0, 0]


def test_an_epoch_is_drawn_from_its_generator_and_mirrors_about_half():
    rows, mirrored = shuffled(400, torch.Generator().manual_seed(0), augment=True)
    assert sorted(rows.tolist()) == list(range(400)) and rows.tolist() != list(range(400))
    assert 150 < mirrored.sum() < 250
    again, _ = shuffled(400, torch.Generator().manual_seed(0), augment=True)
    assert torch.equal(rows, again)
    assert not shuffled(400, torch.Generator(), augment=False)[1].any()
