"""The smallest run that trains: with the fixture `tiny_dataset` it takes a fraction of a second."""

import copy

from patlib.losses import loss_parameters

TINY = {"dataset": "synthetic", "model_width": 2, "epochs": 2, "batch_size": 4, "accelerator": "cpu"}


def record_of(config, record):
    """The record of another run, said to be of a configuration."""
    parameters = {**loss_parameters(config.loss), **config.loss_parameters}
    record = {**copy.deepcopy(record), "config": config.model_dump(), "loss_parameters": parameters}
    return {**record, "dataset": {**record["dataset"], "name": config.dataset_name}}
