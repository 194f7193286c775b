"""In place of a worker that trains: leaves the record of a run in the steps and with the lock of one that does."""

import fcntl
import json
import os
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "experiments")]

from fake_worker import record  # noqa: E402 -- it lies in another folder


def main(config_json, runs, nice):
    threading.Thread(target=end_with_parent, daemon=True).start()
    config = json.loads(config_json)
    own = Path(runs) / json.loads((Path(runs) / "plan.json").read_text())[str(config["seed"])]
    own.mkdir(parents=True, exist_ok=True)
    lock = os.open(own / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 75
    if (own / "record.json").exists():
        return 0
    with open(Path(runs) / "log", "a") as log:
        log.write(f"begins {config['seed']} {os.getpid()}\n")
        log.flush()
        (own / "unfinished").mkdir(exist_ok=True)
        time.sleep(0.02)
        (own / "unfinished" / "part").write_text(json.dumps(record(config)))
        log.write(f"ends {config['seed']} {os.getpid()}\n")
        log.flush()
        (own / "unfinished" / "part").replace(own / "record.json")
    (own / "unfinished").rmdir()
    (own / ".lock").unlink()
    return 0


def end_with_parent():
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
