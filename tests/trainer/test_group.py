from types import SimpleNamespace

import pytest
import torch
from torch import nn

from patlib.trainer.config import RunConfig
from patlib.trainer.group import check_devices, open_fabric, prepare_for_group, share_buffers, sum_over_group


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def one_of_two(rank, kind="cpu"):
    """What of a Fabric these functions ask, in a group of two."""
    return SimpleNamespace(world_size=2, global_rank=rank, device=torch.device(kind))


def test_devices_that_are_there_are_accepted(two_gpus):
    for settings in ({}, {"devices": 2}, {"accelerator": "cuda", "devices": 2}, {"precision": "fp16"}):
        check_devices(RunConfig(**settings))
    check_devices(RunConfig(accelerator="cpu", devices=4))  # on a CPU devices are processes


def test_more_gpus_than_there_are_is_refused(two_gpus):
    with pytest.raises(ValueError, match="devices is 3, but 2 CUDA devices are visible"):
        check_devices(RunConfig(devices=3))


def test_fp16_on_a_cpu_is_refused_where_there_are_gpus_too(two_gpus):
    with pytest.raises(ValueError, match="'fp16' needs a CUDA device"):
        check_devices(RunConfig(accelerator="cpu", precision="fp16"))


@pytest.mark.parametrize(("precision", "computed"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_fabric_computes_in_the_precision_asked_for(precision, computed):
    fabric = open_fabric(RunConfig(accelerator="cpu", precision=precision))
    assert (fabric.device.type, fabric.world_size) == ("cpu", 1)
    with fabric.autocast():
        assert nn.Conv2d(3, 4, 1)(torch.zeros(1, 3, 2, 2)).dtype == computed


def test_fabric_is_opened_with_the_seed_set():
    open_fabric(RunConfig(accelerator="cpu", seed=7))
    drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(7)))


def test_a_process_alone_is_left_as_it_is():
    fabric = open_fabric(RunConfig(accelerator="cpu"))
    network, value = nn.BatchNorm2d(2), torch.tensor([3.0])
    state = torch.get_rng_state()
    assert prepare_for_group(network, fabric, seed=0) is network
    assert torch.equal(torch.get_rng_state(), state)
    share_buffers(network, fabric)
    assert sum_over_group(value, fabric) is value and value.item() == 3


def test_every_process_draws_noise_of_its_own():
    drawn = []
    for rank in (0, 1):
        prepare_for_group(nn.Identity(), one_of_two(rank), seed=5)
        drawn.append(torch.rand(3))
    expected = [torch.rand(3, generator=torch.Generator().manual_seed(seed)) for seed in (5, 6)]
    assert all(torch.equal(one, other) for one, other in zip(drawn, expected, strict=True))


def test_batch_norm_is_synchronised_on_gpus_only():
    network = nn.Sequential(nn.BatchNorm2d(2))
    assert prepare_for_group(network, one_of_two(0), 0) is network
    assert type(prepare_for_group(network, one_of_two(0, "cuda"), 0)[0]) is nn.SyncBatchNorm


def test_in_a_group_sums_are_taken_and_all_buffers_are_the_first_ones(monkeypatch):
    sent = []
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda tensor: tensor.mul_(2))
    monkeypatch.setattr(torch.distributed, "broadcast", lambda tensor, source: sent.append((tensor, source)))
    assert sum_over_group(torch.tensor(3.0), one_of_two(1)).item() == 6
    network = nn.BatchNorm2d(2)
    share_buffers(network, one_of_two(1))
    assert [source for _, source in sent] == [0, 0, 0]
    assert [tensor.data_ptr() for tensor, _ in sent] == [buffer.data_ptr() for buffer in network.buffers()]
