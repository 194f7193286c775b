"""Fetch published files: a download that broke goes on where it stopped, and only a whole file has its name.

Pooch, the usual choice, starts over when a download breaks, and the largest file here has 3 GB. So the standard library
asks for the missing bytes (RFC 9110, section 14), and for the whole file if the publisher's has changed since.
"""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from patlib.datasets.spec import DataError
from patlib.files import sha256

CHUNK = 2**20
SECONDS = 60
"""Without a byte for so long, a download counts as broken."""


@dataclass(frozen=True)
class Remote:
    """A published file."""

    url: str
    sha256: str = ""
    """Empty where none is known; whoever fetches it then checks what is in it."""


def fetch(remote: Remote, target: Path, progress: bool = True) -> None:
    """Download a file unless it is there, showing a bar.

    What has come lies in ``target`` with ``.part`` added. The same call goes on from there, if the server can send
    parts and its file is still the same; it starts anew otherwise. A second process waits for the first.

    Raises:
        DataError: the download broke, the disk would be full, or the file is not the one that was published.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part, tag = (target.with_name(f"{target.name}{suffix}") for suffix in (".part", ".part.tag"))
    with FileLock(target.with_name(f".{target.name.lstrip('.')}.lock")):
        if not target.is_file():
            try:
                _receive(remote.url, part, tag, progress)
            except (OSError, http.client.HTTPException) as error:
                kept = part.stat().st_size if part.is_file() else 0
                raise DataError(
                    f"the download of {remote.url} broke ({str(error) or type(error).__name__}). {kept / 1e6:.1f} MB "
                    f"are kept in {part}; the same command goes on from there"
                ) from error
            _check(remote, part)
            tag.unlink(missing_ok=True)
            os.replace(part, target)


def _receive(url: str, part: Path, tag: Path, progress: bool) -> None:
    """Add to the part what it lacks; ``tag`` holds by which mark the server knows the version that the part is of."""
    start = part.stat().st_size if part.is_file() and tag.is_file() else 0
    headers = {"User-Agent": "patlib"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": tag.read_text(encoding="latin-1")}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # all of it had come
            return
        raise
    with response:
        if response.status != http.client.PARTIAL_CONTENT:
            start = 0
            part.unlink(missing_ok=True)
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if mark and not mark.startswith("W/"):  # a weak mark does not tell that bytes are the same
            tag.write_text(mark, encoding="latin-1")
        else:
            tag.unlink(missing_ok=True)
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        free = shutil.disk_usage(part.parent).free
        if total is not None and free < total - start:
            raise OSError(
                f"the disk of {part.parent} has {free / 1e6:.1f} MB free, and {(total - start) / 1e6:.1f} MB come"
            )
        quiet = {} if progress else {"disable": True}  # not disable=False, which would overrule TQDM_DISABLE
        with (
            part.open("ab") as file,
            tqdm(total=total, initial=start, desc=part.stem.lstrip("."), unit="B", unit_scale=True, **quiet) as bar,
        ):
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if total is not None and part.stat().st_size != total:
        raise OSError(f"{part.stat().st_size} of {total} bytes came")


def _check(remote: Remote, part: Path) -> None:
    if not remote.sha256:
        return
    if (found := sha256(part)) != remote.sha256:
        part.unlink()
        raise DataError(
            f"{remote.url}: is not the file that was published (SHA-256 {found}, expected {remote.sha256}). What came "
            "was removed: give the same command again, or get the file elsewhere"
        )
