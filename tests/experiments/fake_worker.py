"""In place of a worker that trains: does what ``plan.json`` in the folder of runs says of its run's seed."""

import json
import os
import signal
import sys
import time
from pathlib import Path


def record(config):
    """The record of a run of two images a split, of two classes: whole, and written by no run."""
    row = {
        "train_loss": 1.0, "val_miou": 0.5, "val_pixel_acc": 0.5, "val_cross_entropy": 1.0, "train_seconds": 1.0,
        "val_seconds": 1.0,
    }  # fmt: skip
    splits = {name: {"confusion": [[3, 1], [0, 4]], "cross_entropy": 1.0} for name in ("train", "val", "test")}
    images = dict.fromkeys(splits, 2)
    return {
        "config": config,
        "loss_parameters": {},
        "dataset": {
            "name": config["dataset"],
            "classes": ["a", "b"],
            "size": [2, 2],
            "class_pixels": [4, 4],
            "images": images,
        },
        "parameters": 1,
        "curves": [{"epoch": epoch + 1, **row} for epoch in range(config["epochs"])],
        "checkpoints": {name: {"epoch": config["epochs"], "splits": splits} for name in ("best", "last")},
        "machine": {"device": "none", "threads": 1},
    }


def main(config_json, folder, nice):
    config = json.loads(config_json)
    action, run_path = json.loads((Path(folder) / "plan.json").read_text())[str(config["seed"])]
    own = Path(folder) / run_path
    own.mkdir(parents=True, exist_ok=True)
    with open(Path(folder) / "began", "a") as file:
        file.write(f"{config['seed']} {os.getpid()} {os.environ['OMP_NUM_THREADS']} {nice}\n")
    if action == "done":
        (own / "record.json").write_text(json.dumps(record(config)))
    elif action == "fail":
        print("ValueError: the reason")
        sys.exit(1)
    elif action == "crash":
        raise RuntimeError("before it could say anything")
    elif action == "no data":
        print("nothing here")
        sys.exit(66)
    elif action in ("hang", "stubborn"):
        if action == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (own / "unfinished").mkdir(exist_ok=True)
        time.sleep(600)
    elif action == "die":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
