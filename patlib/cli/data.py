"""The commands `patlib data list | prepare | show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patlib.cli.messages import columns, plain_errors, say

if TYPE_CHECKING:
    from patlib.datasets import PreparedDataset

data_app = typer.Typer(help="Find, prepare and look at datasets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A dataset (see `patlib data list`), or a folder with a patlib.toml.")]
Size = Annotated[str | None, typer.Option(help="Height x width, such as 90x120; the dataset's default if not given.")]
Root = Annotated[Path | None, typer.Option(help="Folder that holds the datasets; else PATLIB_DATA, else ./data.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for the arrays; else PATLIB_CACHE, else ~/.cache/patlib.")]
Protocol = Annotated[str | None, typer.Option(help="How to split it; the dataset's default if not given.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the splits or the scenes, if the dataset draws them.")]
Download = Annotated[bool, typer.Option("--download", help="Fetch it if it is not there: camvid, oxford_pet, nyuv2.")]


def parse_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) from a text such as "90x120"; None from None, and ValueError from any other text."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"--size is HEIGHTxWIDTH in pixels, such as 90x120; got {text!r}")
    return int(parts[0]), int(parts[1])


@data_app.command("list")
def list_datasets(root: Root = None) -> None:
    """Name every dataset, and say whether it is on this machine."""
    from patlib.datasets import DATASETS
    from patlib.datasets.sources import data_root, locate

    rows = [("name", "classes", "paper size", "found", "licence")]
    with plain_errors():
        for spec in DATASETS.values():
            if spec.layout:
                place = locate(spec, root)
                found = f"yes: {place}" if place else f"no: {data_root(root) / spec.folder}"
            else:
                found = "needs no files"
            height, width = spec.paper_size
            rows.append((spec.name, str(spec.num_classes), f"{height}x{width}", found, spec.licence))
    say(columns(rows))


@data_app.command("prepare")
def prepare_dataset(
    name: Name,
    size: Size = None,
    root: Root = None,
    cache: Cache = None,
    protocol: Protocol = None,
    seed: Seed = 0,
    download: Download = False,
) -> None:
    """Decode and resize a dataset once; say where it lies and how its classes are distributed."""
    from patlib.datasets import prepare

    with plain_errors():
        dataset = prepare(name, parse_size(size), root, cache, protocol, seed, download=download)
    _say_counts(dataset)


@data_app.command("show")
def show_dataset(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="The PNG to write; NAME.png if not given.")] = None,
    split: Annotated[str, typer.Option(help="train, val, test, or one that the protocol adds.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 12,
    size: Size = None,
    root: Root = None,
    cache: Cache = None,
    protocol: Protocol = None,
    seed: Seed = 0,
) -> None:
    """Write a contact sheet: images beside their masks, every class among them; say how the classes are distributed."""
    from patlib.datasets import prepare
    from patlib.datasets.contact_sheet import contact_sheet

    with plain_errors():
        dataset = prepare(name, parse_size(size), root, cache, protocol, seed)
        path = out or Path(f"{dataset.spec.name}.png")
        contact_sheet(dataset, split, count).savefig(path)
    _say_counts(dataset)
    say(f"wrote {path}")


def _say_counts(dataset: PreparedDataset) -> None:
    """Say where a dataset lies, and how many pixels and images each class has in each split."""
    counts = {split: dataset.class_pixels_of(split) for split in dataset.splits}
    say(f"{dataset.spec.title}, {dataset.size[0]}x{dataset.size[1]}: {dataset.folder}")
    say(", ".join(f"{split} {len(images)} images" for split, images in dataset.splits.items()) + "\n")
    held = {
        split: [sum(bool((mask == index).any()) for mask in images.masks) for index in range(dataset.spec.num_classes)]
        for split, images in dataset.splits.items()
    }
    titles = (f"{split} {what}" for split in counts for what in ("pixels", "images"))
    rows: list[tuple[str, ...]] = [("id", "class", *titles, "train share")]
    for index, title in enumerate(dataset.spec.classes):
        share = counts["train"][index] / max(1, counts["train"].sum())
        both = (f"{number[index]:,}" for split in counts for number in (counts[split], held[split]))
        rows.append((str(index), title, *both, f"{100 * share:.3f} %"))
    void = (text for split in counts for text in (f"{dataset.manifest['splits'][split]['void_pixels']:,}", ""))
    say(columns([*rows, ("255", "void", *void, "")]))
