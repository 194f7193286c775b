"""A loss of one's own, handed to `fit`: it trains, the record claims no other, and what does not fit is named."""

import textwrap

import pytest
import torch
from tiny_run import TINY
from torch import nn

from patlib.losses import PixelLoss, build_loss
from patlib.teaching.plots import METHOD_LABELS
from patlib.trainer import RunConfig, fit, load_model
from patlib.trainer.predict import predictions_of
from patlib.trainer.records import read_record, read_records
from patlib.trainer.state import StateError

CONFIG = RunConfig(**TINY, loss="focal", gamma=3)


class Steep(PixelLoss):
    """Cross-entropy of a higher price."""

    def __init__(self, num_classes, *, ignore_index=255, reduction="mean", price=3.0):
        super().__init__(num_classes, ignore_index=ignore_index, reduction=reduction)
        self.price = price

    def weight(self, nll, labels, valid):
        return torch.full_like(nll, self.price)


@pytest.fixture(scope="module")
def steep_run(tiny_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("steep")
    return folder, fit(CONFIG, folder, tiny_dataset, progress=False, loss=Steep(10))


def test_it_is_what_is_minimised(steep_run, tiny_dataset, tmp_path):
    _, record = steep_run
    plain = fit(RunConfig(**TINY, loss="ce"), tmp_path, tiny_dataset, progress=False)
    # Adam does not react to the scale of a loss, so that both took nearly the same way.
    for ours, theirs in zip(record["curves"], plain["curves"], strict=True):
        assert ours["train_loss"] == pytest.approx(3 * theirs["train_loss"], rel=1e-3)


def test_the_record_states_it_as_it_prints_itself_and_claims_no_other(steep_run):
    folder, record = steep_run
    assert record["config"]["loss"] == "Steep(num_classes=10, price=3.0, ignore_index=255, reduction='mean')"
    assert record["loss_parameters"] is None and "gamma" not in record["config"]
    assert read_records(folder) == [record]
    for config in (CONFIG, RunConfig(**TINY)):
        with pytest.raises(ValueError, match=r"is the record of another run, Steep\(num_classes=10"):
            read_record(folder / "record.json", config)


def test_its_network_can_be_loaded_and_predicts(steep_run, tiny_dataset):
    folder, record = steep_run
    assert isinstance(load_model(folder, record), nn.Module)
    (name,) = predictions_of(folder, tiny_dataset.splits["val"])
    assert name == record["config"]["loss"] and name not in METHOD_LABELS


def test_a_run_of_it_goes_on_with_the_same_parameters_alone(tiny_dataset, tmp_path, monkeypatch):
    def stop(run):
        raise KeyboardInterrupt

    monkeypatch.setattr("patlib.trainer.loop._finish", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(CONFIG, tmp_path, tiny_dataset, progress=False, loss=Steep(10))
    with pytest.raises(StateError, match=r"is of another run.*price=3\.0.*price=4"):
        fit(CONFIG, tmp_path, tiny_dataset, progress=False, loss=Steep(10, price=4))
    with pytest.raises(KeyboardInterrupt):
        fit(CONFIG, tmp_path, tiny_dataset, progress=False, loss=Steep(10))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.CrossEntropyLoss(), "must be a patlib.losses.PixelLoss.*got CrossEntropyLoss.*subclass"),
        (nn.CrossEntropyLoss, "PixelLoss, which is an object; got type"),
        (Steep(11), "the loss has num_classes=11, and on the dataset 'synthetic' the trainer needs num_classes=10"),
        (build_loss("ce", 10, ignore_index=-1), "ignore_index=-1"),
        (build_loss("ce", 10, reduction="sum"), "reduction='sum'"),
    ],
)
def test_one_that_does_not_fit_is_named(loss, message, tiny_dataset, tmp_path):
    with pytest.raises(ValueError, match=message):
        fit(CONFIG, tmp_path, tiny_dataset, progress=False, loss=loss)


def test_the_lines_that_the_error_shows_put_another_librarys_loss_into_one(tiny_dataset, tmp_path):
    with pytest.raises(ValueError, match="as it is:") as error:
        fit(CONFIG, tmp_path, tiny_dataset, progress=False, loss=nn.CrossEntropyLoss())
    shown = textwrap.dedent(str(error.value).partition("\n")[2])
    names = {"PixelLoss": PixelLoss, "CrossEntropyLoss": nn.CrossEntropyLoss}
    exec(shown.replace("...", "ignore_index=255"), names)
    loss = names["loss"]
    theirs = fit(CONFIG, tmp_path / "theirs", tiny_dataset, progress=False, loss=loss)
    ours = fit(RunConfig(**TINY, loss="ce"), tmp_path / "ours", tiny_dataset, progress=False)
    for one, other in zip(theirs["curves"], ours["curves"], strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)
    assert "(theirs): CrossEntropyLoss()" in theirs["config"]["loss"]
    torch.manual_seed(0)
    logits, target = torch.randn(3, 10, 4, 4), torch.randint(10, (3, 4, 4))
    target[0, :3] = 255
    whole = loss.normaliser(target != 255)  # two processes' shares add up to the loss of the batch
    parts = loss(logits[:1], target[:1], whole) + loss(logits[1:], target[1:], whole)
    torch.testing.assert_close(parts, loss(logits, target))


def test_it_needs_a_folder_of_its_own(tiny_dataset):
    with pytest.raises(ValueError, match=r"name a folder for your own loss: .* belongs to 'focal'"):
        fit(CONFIG, dataset=tiny_dataset, progress=False, loss=Steep(10))
