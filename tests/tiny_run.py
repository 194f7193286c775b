"""The smallest run that trains: with the fixture `tiny_dataset` it takes a fraction of a second."""

TINY = {"dataset": "synthetic", "model_width": 2, "epochs": 2, "batch_size": 4, "accelerator": "cpu"}
