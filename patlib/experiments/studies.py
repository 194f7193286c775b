"""Every study of this project, declared once: its question, its runs and their scales; and the order of all runs.

A study's cells name the rows of its table and the fields that make them; a scale gives the rest: "laptop" is what
processors can do in days, "full" needs a GPU. A run of several studies is one run, as it is named by what it computes.
A table never mixes precisions. At laptop scale all train in fp32, which every processor can: one without instructions
for bf16 takes ten times as long in it. At full scale they train in bf16, which GPUs have. One study compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from patlib.experiments.grids import ARMS, GRIDS, METHODS, NETWORKS, Cell
from patlib.names import nearest
from patlib.trainer.config import RunConfig

Scale = Literal["laptop", "full"]
SEEDS, MORE_SEEDS = (0, 1, 2), (3, 4)

COMMON: dict[str, Any] = {
    "model": "segnet", "epochs": 100, "batch_size": 8, "learning_rate": 1e-3, "accelerator": "auto"
}  # fmt: skip
LAPTOP, FULL = {**COMMON, "precision": "fp32"}, {**COMMON, "precision": "bf16"}
CAMVID: dict[Scale, dict[str, Any]] = {
    "laptop": {**LAPTOP, "dataset": "camvid", "image_height": 90, "image_width": 120, "model_width": 16},
    "full": {**FULL, "dataset": "camvid", "image_height": 360, "image_width": 480, "model_width": 32},
}
DUSK: dict[Scale, dict[str, Any]] = {scale: {**base, "protocol": "day_to_dusk"} for scale, base in CAMVID.items()}
ANCHOR: dict[Scale, dict[str, Any]] = {"laptop": {**CAMVID["full"], "precision": "fp32"}, "full": CAMVID["full"]}
_PET = {"dataset": "oxford_pet", "protocol": "paper"}
PET: dict[Scale, dict[str, Any]] = {
    "laptop": {**LAPTOP, **_PET, "image_height": 96, "image_width": 96, "model_width": 16, "epochs": 60},
    "full": {**FULL, **_PET, "image_height": 256, "image_width": 256, "model_width": 32},
}


@dataclass(frozen=True)
class Study:
    """A question and the runs that answer it."""

    name: str
    question: str
    cells: tuple[Cell, ...]
    """The rows of the study's table, in its order; each name has the same number of words."""
    pages: tuple[str, ...]
    """The notebooks that read its records, by the stem of their file."""
    scales: dict[Scale, dict[str, Any]]
    """The fields of a configuration that a cell does not set."""
    laptop_seeds: tuple[int, ...] = SEEDS
    split_by_seed: bool = False
    """Whether each seed draws a split of the images of its own (``data_seed = seed``)."""

    def seeds(self, scale: Scale) -> tuple[int, ...]:
        """The seeds of a scale, at full scale three at most."""
        return tuple(seed for seed in self.laptop_seeds if scale == "laptop" or seed in SEEDS)

    def config(self, cell: Cell, seed: int, scale: Scale) -> RunConfig:
        """The run of one cell and seed."""
        split = {"data_seed": seed} if self.split_by_seed else {}
        return RunConfig(**{**self.scales[scale], **cell.settings, **split, "seed": seed})


@dataclass(frozen=True)
class Wave:
    """A part of a study, run seed by seed and before the next wave; all cells of the study if none are named."""

    study: str
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...] = ()


def _pat(row: str, **settings: Any) -> Cell:
    return Cell((row,), {"loss": "pat", "T": 20.0, **settings})


def _temperatures(*values: float) -> tuple[Cell, ...]:
    return tuple(_pat(f"T = {T:g}", T=float(T)) for T in values)


def _each(cells: tuple[Cell, ...], name: str, **settings: Any) -> tuple[Cell, ...]:
    """The cells with one more setting, and its name as one more word of their rows."""
    return tuple(Cell((*cell.row, name), {**cell.settings, **settings}) for cell in cells)


def _on(model: str, *cells: Cell) -> tuple[Cell, ...]:
    return _each(cells, NETWORKS[model], model=model)


CE, FOCAL, CB, CBFOCAL, BMS, LDAM, BLV, PAT = METHODS
ONLY_SIZE = next(cell for cell in ARMS if cell.row == ("only 1/S",))
FOUR = (CE, CB, BMS, PAT)
MILD_POWERS = (
    *(_pat(f"PAT (T = 20, 1/S^{alpha:g})", alpha=alpha) for alpha in (0.25, 0.5, 0.75)),
    Cell(("CB (n^-0.5)",), {"loss": "cb", "power": 0.5}),
)
PET_FIRST, PET_LATER = (CE, CB, BMS, ONLY_SIZE, PAT), (FOCAL, LDAM)
UNET, UNET_TEMPERATURES = _on("unet", CE, CB, LDAM, PAT), _on("unet", *_temperatures(5, 50))
OTHER_NETWORKS = (*_on("attention_unet", CE, PAT), *_on("unetpp", CE, PAT))
RATES = {"3e-4": 3e-4, "1e-3": 1e-3, "3e-3": 3e-3}

STUDIES = {
    study.name: study
    for study in (
        Study(
            "table1",
            "Which of the eight methods segments CamVid best, over all classes and over the rare ones?",
            METHODS,
            ("12_table_1", "17_paper_code_facts", "19_the_frontier"),
            CAMVID,
            laptop_seeds=SEEDS + MORE_SEEDS,
        ),
        Study(
            "halves",
            "Which half of PAT does the work, the division by the mask's size or the weight beta?",
            ARMS,
            ("18_which_half_of_pat",),
            CAMVID,
            laptop_seeds=SEEDS + MORE_SEEDS,
        ),
        Study(
            "frontier",
            "Does a milder weight, 1/S^alpha or n^-1/2, buy rare classes at a lower price in the common ones?",
            (CE, *MILD_POWERS, CB, PAT),
            ("18_which_half_of_pat",),
            CAMVID,
        ),
        Study(
            "temperature",
            "How much does PAT depend on its temperature T?",
            _temperatures(0.5, 1, 5, 10, 20, 50),
            ("14_table_3_and_sweeps", "18_which_half_of_pat"),
            CAMVID,
        ),
        Study(
            "precision",
            "Does training in bf16 change what is concluded from training in fp32?",
            (*_each(FOUR, "fp32", precision="fp32"), *_each(FOUR, "bf16", precision="bf16")),
            ("15_what_it_costs",),
            CAMVID,
        ),
        Study(
            "pet",
            "Does the order of the methods hold on another dataset, over five splits of its images?",
            PET_FIRST + PET_LATER,
            ("12_table_1",),
            PET,
            laptop_seeds=SEEDS + MORE_SEEDS,
            split_by_seed=True,
        ),
        Study(
            "learning_rate",
            "Does the order of the methods hold at a learning rate three times lower or higher?",
            tuple(cell for name, rate in RATES.items() for cell in _each(FOUR, name, learning_rate=rate)),
            ("12_table_1",),
            CAMVID,
        ),
        Study(
            "networks",
            "Does the order of the methods hold on other networks?",
            UNET + OTHER_NETWORKS + UNET_TEMPERATURES,
            ("13_table_2", "14_table_3_and_sweeps"),
            CAMVID,
        ),
        Study(
            "dusk",
            "Which method loses least when it is trained by day and tested at dusk?",
            FOUR,
            ("18_which_half_of_pat",),
            DUSK,
            laptop_seeds=SEEDS + MORE_SEEDS,
        ),
        Study(
            "anchor",
            "How far does cross-entropy come at the paper's size, beside its published number?",
            (CE,),
            ("12_table_1",),
            ANCHOR,
            laptop_seeds=(0,),
        ),
        Study(
            "sweeps",
            "How much do the other methods depend on their parameters: gamma, LDAM's scale, BLV's law and sigma?",
            GRIDS["gamma"] + GRIDS["scale"] + GRIDS["variation"],
            ("14_table_3_and_sweeps",),
            CAMVID,
            laptop_seeds=(0,),
        ),
    )
}

ORDER = (
    Wave("table1", SEEDS, (CE, PAT, CB, BMS)),
    Wave("precision", SEEDS),
    Wave("table1", SEEDS, (FOCAL, LDAM, CBFOCAL, BLV)),
    Wave("halves", SEEDS),
    Wave("frontier", SEEDS),
    Wave("temperature", SEEDS, _temperatures(1, 5, 50)),
    Wave("pet", SEEDS, PET_FIRST),
    Wave("table1", MORE_SEEDS),
    Wave("halves", MORE_SEEDS),
    Wave("pet", MORE_SEEDS, PET_FIRST),
    Wave("dusk", SEEDS + MORE_SEEDS),
    Wave("learning_rate", SEEDS),
    Wave("networks", SEEDS, UNET),
    Wave("networks", SEEDS, OTHER_NETWORKS),
    Wave("networks", SEEDS, UNET_TEMPERATURES),
    Wave("temperature", SEEDS),
    Wave("pet", SEEDS + MORE_SEEDS),
    Wave("anchor", (0,)),
    Wave("sweeps", (0,)),
)
"""The most telling runs first, so that the main comparisons have whole seeds if the queue is stopped early."""


def get_study(name: str) -> Study:
    """A study by name; ValueError naming all of them if there is none of that name."""
    if name not in STUDIES:
        meant = nearest(name, STUDIES)
        hint = f"; did you mean {meant!r}?" if meant else "."
        raise ValueError(f"no study is called {name!r}{hint} There are {', '.join(STUDIES)}")
    return STUDIES[name]


def study_runs(study: Study, scale: Scale) -> dict[tuple[Any, ...], RunConfig]:
    """All runs of a study, seed by seed, each under the words of its row and its seed, as the tables take them."""
    return {(*cell.row, seed): study.config(cell, seed, scale) for seed in study.seeds(scale) for cell in study.cells}


def study_configs(study: Study, scale: Scale) -> list[RunConfig]:
    """All runs of a study, seed by seed."""
    return list(study_runs(study, scale).values())


def queue(scale: Scale) -> list[tuple[Study, RunConfig]]:
    """Every run of every study once, in the order of the waves; a run that studies share stands at its first place."""
    found: dict[str, tuple[Study, RunConfig]] = {}
    for wave in ORDER:
        study = get_study(wave.study)
        for seed in wave.seeds:
            for cell in (wave.cells or study.cells) if seed in study.seeds(scale) else ():
                config = study.config(cell, seed, scale)
                found.setdefault(str(config.run_path), (study, config))
    return list(found.values())
