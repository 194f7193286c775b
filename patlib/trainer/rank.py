"""One process of a group that :mod:`patlib.trainer.launch` started: ``python -m patlib.trainer.rank FOLDER``.

Nothing that takes long is imported before the watch over the parent begins, so that this process ends with its parent
at any time.
"""

from __future__ import annotations

import os
import sys

from patlib.parent import stop_with_parent


def main(folder: str) -> None:
    """Train what ``group.json`` in the folder of the group says; leave an error there as ``error.json``."""
    import json
    from pathlib import Path

    import torch

    from patlib.trainer.config import RunConfig
    from patlib.trainer.launch import keep_error
    from patlib.trainer.loop import fit_rank

    group = Path(folder)
    asked = json.loads((group / "group.json").read_text())
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    config = RunConfig(**asked["config"])
    on_cuda = config.accelerator in ("auto", "cuda") and torch.cuda.is_available()
    if on_cuda:
        torch.cuda.set_device(rank)
    # The group meets through a file, because other machines could reach a port; it then uses the loopback device.
    torch.distributed.init_process_group(
        "nccl" if on_cuda else "gloo", init_method=(group / "store").as_uri(), rank=rank, world_size=size
    )
    try:
        fit_rank(config, Path(asked["folder"]), None, asked["progress"], None, asked["resume"])
    except Exception as error:
        keep_error(error, group / "error.json")
        os._exit(1)  # without the usual clean-up, in which this process would wait for others that wait for it
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    stop_with_parent()
    main(sys.argv[1])
