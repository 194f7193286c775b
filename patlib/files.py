"""Files that are either whole or not there: written under a temporary name, brought to the disk, then renamed."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

WINDOWS = os.name == "nt"
if not WINDOWS:
    import fcntl

if TYPE_CHECKING:
    from torch import Tensor, nn

NUMBERS = re.compile(r"\[\n\s*((?:-?\d[\d.e+-]*,?\s+)+)\]")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well, and vanishes when it does not.

    Its content has reached the disk before it is renamed, so that even a power cut leaves either the old file or the
    new one. Raises OSError, which names the folder and what to do, if the disk is full.
    """
    try:
        with temporary_beside(path) as temporary:
            yield temporary
            to_disk(temporary)
            temporary.replace(path)
            to_disk(path.parent)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(path.parent).free / 1e6
        raise OSError(
            error.errno,
            f"the disk of {path.parent} is full ({free:.1f} MB are free): {path.name} is not written, and what was "
            "there is kept. Free some space, then give the same command again",
        ) from error


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """An empty file beside ``path`` that vanishes when the block ends, with the permissions of any new file.

    Its name cannot be foreseen. It stays locked as long as the block lasts, and the lock ends with this process: those
    of ``path`` that are not locked were left behind by processes that were killed, and are removed first.
    """
    _sweep(path.parent, f".{glob.escape(path.name)}.{'[0-9a-f]' * 16}")

    def create() -> tuple[Path, int]:
        new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        # Exclusive: whatever lies under that name, a link to elsewhere too, is not written to.
        return new, os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    temporary, release = _locked(create)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        release()


@contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """A new folder where the system keeps temporary ones, removed when the block ends.

    As with :func:`temporary_beside`, what killed processes left behind that had the same ``purpose`` is removed first.
    """
    prefix = f"patlib-{purpose}-"
    _sweep(Path(tempfile.gettempdir()), f"{prefix}*")

    def create() -> tuple[Path, int]:
        new = Path(tempfile.mkdtemp(prefix=prefix))
        return new, -1 if WINDOWS else os.open(new, os.O_RDONLY)

    temporary, release = _locked(create)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary)
        release()


def _locked(create: Callable[[], tuple[Path, int]]) -> tuple[Path, Callable[[], None]]:
    """Something new that no other process sweeps, and what lets go of it."""
    while True:
        path, descriptor = create()
        if WINDOWS:  # which neither renames nor removes what is open: nothing is locked there, and nothing swept
            if descriptor >= 0:
                os.close(descriptor)
            return path, lambda: None
        with suppress(OSError):  # a file system without locks, on which nothing is swept either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, partial(os.close, descriptor)
        os.close(descriptor)  # it was swept before it was locked


def _sweep(place: Path, pattern: str) -> None:
    """Remove the files and folders of a place that match, unless a living process holds them."""
    for left in [] if WINDOWS else place.glob(pattern):
        with suppress(OSError):  # it is held, is a link, is another user's, or has gone just now
            descriptor = os.open(left, (os.O_RDONLY if left.is_dir() else os.O_RDWR) | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if left.is_dir():
                    shutil.rmtree(left)
                else:
                    left.unlink()
            finally:
                os.close(descriptor)


def reserve(sizes: Mapping[Path, int]) -> None:
    """Make files of so many bytes in one folder, whose space on the disk nobody else can then take.

    Raises OSError with ENOSPC if the disk has no such space.
    """
    # Asked first, because not every system and file system can set space aside: macOS, Windows and a few network disks
    # cannot, and who fills such a disk meanwhile is told of by the writing that fails.
    if shutil.disk_usage(next(iter(sizes)).parent).free < sum(sizes.values()):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for path, size in sizes.items():
        with path.open("xb") as file:
            if not hasattr(os, "posix_fallocate"):
                continue
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise


def lock_holder(path: Path) -> str:
    """Which process of this machine holds the lock of a file, as " (pid 4711)"; "" where the system does not tell."""
    try:
        facts, lines = path.stat(), Path("/proc/locks").read_text().splitlines()
    except OSError:
        return ""
    own = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
    for line in lines:  # such as "1: FLOCK ADVISORY WRITE 4711 08:01:262154 0 EOF"
        _, kind, _, _, pid, place, *_ = line.split()
        if kind == "FLOCK" and place == own:
            return f" (pid {pid})"
    return ""


def to_disk(path: Path) -> None:
    """Bring what was written to a file, or what was renamed in a folder, from memory to the disk."""
    if path.is_dir() and WINDOWS:  # which opens no folder
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Any) -> None:
    """Write JSON with indentation, and each list of numbers on one line, so that records can be compared by lines.

    Raises ValueError for infinity and NaN, for which JSON has no word. Write None where a value is undefined.
    """
    plain = json.dumps(content, indent=1, allow_nan=False)
    text = NUMBERS.sub(lambda found: "[" + " ".join(found[1].split()) + "]", plain)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> str:
    """Write tensors as safetensors; returns the SHA-256 of the file.

    Each tensor is written as a copy on the CPU. The copy is contiguous whatever the tensor's memory format, and shares
    memory with no other, because safetensors refuses tensors that do.
    """
    import torch
    from safetensors.torch import save

    apart = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    content = save(apart, metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def write_weights(path: Path, model: nn.Module) -> str:
    """Write a model's state as safetensors; returns the SHA-256 of the file."""
    return write_tensors(path, model.state_dict())


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file by name, on the CPU, and its metadata.

    Raises ValueError, which names the file, if it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if path.exists() and not path.is_file():  # but a folder, or a pipe, which would wait for a writer
        raise ValueError(f"{path} is no file")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error})") from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
