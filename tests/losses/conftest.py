"""Fixtures of the tests of the losses: every setting, every method, one batch."""

import pytest
from loss_batches import SETTINGS, random_batch, setting_name
from torch import Tensor


@pytest.fixture(params=SETTINGS, ids=setting_name)
def setting(request: pytest.FixtureRequest) -> tuple[str, dict]:
    return request.param


@pytest.fixture(params=["ce", "focal", "cb", "cbfocal", "bms", "ldam", "blv", "pat"])
def method(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    return random_batch(0)
