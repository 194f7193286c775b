"""Files that are either whole or not there: written under a temporary name, brought to the disk, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

NUMBERS = re.compile(r"\[\n\s*((?:-?\d[\d.e+-]*,?\s+)+)\]")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well, and vanishes when it does not.

    The temporary file is empty at first. Its name cannot be foreseen, and its permissions are those of any new file.
    Its content has reached the disk before it is renamed, so that even a power cut leaves either the old file or the
    new one. Raises OSError, which names the folder and what to do, if the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        # O_EXCL: if anything lies under that name, even a link to another file, this fails and writes nothing.
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        _to_disk(temporary)
        temporary.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(path.parent).free / 1e6
        raise OSError(
            error.errno,
            f"the disk of {path.parent} is full ({free:.1f} MB are free): {path.name} is not written, and what was "
            "there is kept. Free some space, then give the same command again",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # Windows opens no folder
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

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error})") from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
