"""Downloads from a server on the loopback address: broken ones go on, and nothing has its name before it is whole."""

import hashlib
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from tqdm import tqdm

from patlib.datasets import DataError, download
from patlib.datasets.download import CHUNK, Remote, fetch

CONTENT = bytes(range(256)) * 12_000  # 3 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves one file, and breaks off where a test wants it to."""

    content = CONTENT
    mark: str | None = '"one"'
    parts = True
    breaks_after: int | None = None
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.asked.append(asked)
        if self.path != "/file":
            self.send_error(404)
            return
        start = 0
        if asked and self.parts and self.headers["If-Range"] == self.mark:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(self.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        if self.mark:
            self.send_header("ETag", self.mark)
        self.end_headers()
        self.wfile.write(self.content[start:][: self.breaks_after])

    def log_message(self, *words: object) -> None:
        """Stay quiet."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    """A new server's class, whose attributes say how it behaves; `served.url` is its file."""
    monkeypatch.setenv("no_proxy", "*")
    handler = type("Once", (Server,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.url = f"http://127.0.0.1:{server.server_address[1]}/file"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield handler
        server.shutdown()
        thread.join()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_file_is_fetched_once_with_a_bar(
    served: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "tqdm", partial(tqdm, disable=False))
    remote = Remote(served.url, SHA256)
    fetch(remote, tmp_path / "a" / "file.mat")
    assert (tmp_path / "a" / "file.mat").read_bytes() == CONTENT and left(tmp_path / "a") == ["file.mat"]
    assert re.search(r"file\.mat: 100%.*3\.07M", capsys.readouterr().err)
    fetch(remote, tmp_path / "a" / "file.mat")
    assert served.asked == [None]


def test_a_broken_download_goes_on_where_it_stopped(served: type[Server], tmp_path: Path) -> None:
    remote = Remote(served.url, SHA256)
    for breaks_after, size in ((2 * CHUNK, 2 * CHUNK), (1000, 2 * CHUNK + 1000)):
        served.breaks_after = breaks_after
        with pytest.raises(DataError, match=rf"broke.*{size / 1e6:.1f} MB are kept in .*file\.part; the same command"):
            fetch(remote, tmp_path / "file", progress=False)
        assert (tmp_path / "file.part").stat().st_size == size and not (tmp_path / "file").exists()
    served.breaks_after = None
    fetch(remote, tmp_path / "file", progress=False)
    assert served.asked == [None, f"bytes={2 * CHUNK}-", f"bytes={2 * CHUNK + 1000}-"]
    assert (tmp_path / "file").read_bytes() == CONTENT and left(tmp_path) == ["file"]


@pytest.mark.parametrize("change", ["other content", "no parts", "no mark", "weak mark"])
def test_it_starts_anew_where_parts_would_not_fit_together(served: type[Server], tmp_path: Path, change: str) -> None:
    served.mark = {"no mark": None, "weak mark": 'W/"one"'}.get(change, '"one"')
    served.breaks_after = CHUNK
    with pytest.raises(DataError, match="broke"):
        fetch(Remote(served.url), tmp_path / "file", progress=False)
    served.breaks_after, served.parts = None, change != "no parts"
    if change == "other content":
        served.content, served.mark = CONTENT[::-1], '"two"'
    fetch(Remote(served.url), tmp_path / "file", progress=False)
    assert (tmp_path / "file").read_bytes() == served.content and left(tmp_path) == ["file"]


def test_a_whole_part_is_only_renamed(served: type[Server], tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.tag").write_text('"one"')
    fetch(Remote(served.url, SHA256), tmp_path / "file", progress=False)
    assert (tmp_path / "file").read_bytes() == CONTENT and left(tmp_path) == ["file"]


def test_another_file_than_the_published_is_refused_and_removed(served: type[Server], tmp_path: Path) -> None:
    served.content = CONTENT[1:]
    with pytest.raises(DataError, match=rf"not the file that was published.*expected {SHA256}"):
        fetch(Remote(served.url, SHA256), tmp_path / "file", progress=False)
    assert not (tmp_path / "file").exists() and not (tmp_path / "file.part").exists()


def test_what_the_server_lacks_or_the_disk_cannot_hold_is_named(
    served: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"/fileler broke \(HTTP Error 404"):
        fetch(Remote(f"{served.url}ler"), tmp_path / "file", progress=False)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10**6}))
    with pytest.raises(DataError, match=r"has 1\.0 MB free, and 3\.1 MB come"):
        fetch(Remote(served.url), tmp_path / "file", progress=False)
    assert not (tmp_path / "file").exists()


def test_a_second_process_waits_for_the_first(served: type[Server], tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=fetch, args=(Remote(served.url, SHA256), tmp_path / "file", False)) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert served.asked == [None] and (tmp_path / "file").read_bytes() == CONTENT
