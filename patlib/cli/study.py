"""The commands `patlib study list | run | table`: the questions of the studies, their runs, and their tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from patlib.cli.messages import columns, plain_errors, say

if TYPE_CHECKING:
    from patlib.experiments.studies import Scale

study_app = typer.Typer(help="The project's studies: their runs, in a stated order, and tables.", no_args_is_help=True)

ScaleName = Annotated[
    str | None,
    typer.Option("--scale", help="laptop or full; if not given, full on a machine with CUDA and laptop on others."),
]
Runs = Annotated[Path, typer.Option(help="Folder of the runs, with their weights.")]
Records = Annotated[Path, typer.Option(help="Folder of the records, ready to be committed.")]
RUNS, RECORDS = Path("runs/studies"), Path("book/results")


def parse_scale(name: str | None) -> Scale:
    """The scale of that name, or ValueError; for None, full on a machine with CUDA and laptop on others."""
    import torch

    if name is None:
        return "full" if torch.cuda.is_available() else "laptop"
    if name not in ("laptop", "full"):
        raise ValueError(f"--scale is laptop or full; got {name!r}")
    return cast("Scale", name)


@study_app.command("list")
def list_studies(scale: ScaleName = None, runs: Runs = RUNS, records: Records = RECORDS) -> None:
    """Show each study: its question, which of its runs are there, started or missing, and the hours they need."""
    from patlib.experiments import studies
    from patlib.experiments.durations import Durations
    from patlib.experiments.queue import state_of
    from patlib.trainer.records import read_records

    with plain_errors():
        chosen = parse_scale(scale)
        durations = Durations([*read_records(records), *read_records(runs)])
        hours = "GPU-hours left" if durations.device.type == "cuda" else "core-hours left"
        rows = [("study", "there", "started", "missing", hours, "question")]
        for study in studies.STUDIES.values():
            configs = studies.study_configs(study, chosen)
            states = {config: state_of(config, runs, records) for config in configs}
            count = Counter(states.values())
            left = [config for config, state in states.items() if state != "there"]
            seconds, unknown = durations.total(left)
            known = "?" if unknown else f"{seconds / 3600:.1f}"
            there, started, missing = (str(count[state]) for state in ("there", "started", "missing"))
            rows.append((study.name, there, started, missing, known, study.question))
    say(f"{chosen} scale; runs that studies share are counted in each")
    say(columns(rows))


@study_app.command("run")
def run_studies(
    minutes: Annotated[float, typer.Option(help="Budget of time.")] = 60.0,
    workers: Annotated[
        int | None, typer.Option(help="Runs side by side; if not given, one on each GPU, or two on processors.")
    ] = None,
    scale: ScaleName = None,
    nice: Annotated[
        int, typer.Option(min=0, max=19, help="How far the runs give way to other processes: 19 is farthest.")
    ] = 10,
    only: Annotated[str | None, typer.Option(help="The only study whose runs are made.")] = None,
    runs: Runs = RUNS,
    records: Records = RECORDS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs, and make none.")] = False,
) -> None:
    """Make the runs of the studies, most telling first, for as long as the budget lasts.

    A run that has its record is not made again, and one that was stopped goes on from its last epoch. Runs in bf16
    wait for another machine where this one has no instructions for it: a step would take about ten times as long.
    """
    import torch

    from patlib.experiments import queue, studies
    from patlib.trainer.machine import bf16_instructions

    with plain_errors():
        chosen = parse_scale(scale)
        wanted = None if only is None else studies.get_study(only)
        configs = studies.queue(chosen)
        if wanted is not None:
            own = {config.run_path for config in studies.study_configs(wanted, chosen)}
            configs = [(wanted, config) for _, config in configs if config.run_path in own]
        if dry_run:
            rows = [("state", "study", "run")]
            rows += [(queue.state_of(config, runs, records), study.name, config.run_name) for study, config in configs]
            say(columns(rows))
            return
        if not bf16_instructions(torch.device("cuda" if torch.cuda.is_available() else "cpu")):
            kept = [(study, config) for study, config in configs if config.precision != "bf16"]
            if waiting := len(configs) - len(kept):
                say(
                    f"{waiting} of {len(configs)} runs wait for a machine with instructions for bf16 (AVX512_BF16, AMX)"
                )
            configs = kept
        if workers is None:
            workers = torch.cuda.device_count() or 2
        result = queue.run_queue([config for _, config in configs], runs, records, minutes, workers, nice)
    say(str(result))
    for name, error in result.failed:
        say(f"failed: {name}: {error}", err=True)
    if result.failed:
        raise typer.Exit(1)


@study_app.command("table")
def show_table(
    name: Annotated[str, typer.Argument(help="A study: see `patlib study list`.")],
    scale: ScaleName = None,
    checkpoint: Annotated[str, typer.Option(help="last or best (by validation mIoU).")] = "last",
    split: Annotated[str, typer.Option(help="A split of the dataset, such as test.")] = "test",
    records: Records = RECORDS,
) -> None:
    """Show a study's table from the records that are there: mean ± standard deviation, and the number of seeds."""
    from patlib.experiments import studies, tables

    with plain_errors():
        study = studies.get_study(name)
        made = studies.study_runs(study, parse_scale(scale))
        scores = tables.run_scores(made, records, checkpoint, split)
        protocol, caption = tables.run_protocol(made, records), tables.run_caption(made, records, checkpoint, split)
    say(f"{study.question}\nIts first run: {protocol}\n{caption}")
    say(tables.row_summary([cell.row for cell in study.cells], scores).to_string())
