"""A run as a readable report: notebook 11, executed by papermill with the run's parameters."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from patlib.trainer.config import RunConfig, setting_names, unknown_setting

REPORT = Path(__file__).parents[2] / "notebooks" / "11_one_run.ipynb"


def report_cell(config: RunConfig, folder: Path) -> None:
    """Make a run by executing notebook 11 as its report (:func:`run_notebook`)."""
    check_report()
    run_notebook(REPORT, config, folder, progress=False)


def check_report() -> None:
    """Raise ValueError if notebook 11 is not there, because patlib was installed without its repository."""
    if not REPORT.is_file():
        raise ValueError(f"the report's notebook is not at {REPORT}: use --plain, or run from a checkout")


def notebook_parameters(namespace: Mapping[str, Any]) -> tuple[RunConfig, Path]:
    """Configuration and run folder from the variables of a notebook that so far holds nothing but parameters.

    Every public variable with a plain value must be a setting of a run (a field of
    :class:`~patlib.trainer.config.RunConfig` or a parameter of a loss) or ``folder``, below which the run has a folder
    of its own. Raises ValueError for a misspelt name, of which papermill only warns, and for a wrong type.
    """
    plain = (str, int, float, bool, list, tuple, dict, type(None))
    jupyter_names = ("In", "Out")
    given: dict[str, Any] = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, plain) and not name.startswith("_") and name not in jupyter_names
    }
    folder = given.pop("folder", "runs")
    for name in given:
        if name not in setting_names():
            raise ValueError(
                f"{unknown_setting(name)} (In a live notebook: restart the kernel if it is a variable of your own.)"
            )
    config = RunConfig(**given)
    return config, Path(folder) / config.run_path


def run_notebook(notebook: str | Path, config: RunConfig, folder: str | Path, progress: bool = True) -> Path:
    """Execute a notebook with papermill and a run's parameters; returns the path of the copy in the run's folder.

    The copy is named ``notebook.ipynb`` only when every cell has run. If a cell fails, it is kept as ``failed.ipynb``
    with the error in its place, and ValueError is raised, which names the cell and the error.
    """
    import papermill
    from jupyter_client.manager import AsyncKernelManager

    class QuietKernel(AsyncKernelManager):
        """A kernel whose messages about its own start and end are not shown."""

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super().start_kernel(stderr=subprocess.DEVNULL, **options)

    own = Path(folder).resolve() / config.run_path
    own.mkdir(parents=True, exist_ok=True)
    # A parameter that is not set is None, whatever value the notebook has for a run of its own.
    parameters = {**dict.fromkeys(setting_names()), **config.model_dump(), "folder": str(Path(folder).resolve())}
    # A notebook is finished if papermill returns; the metadata of an interrupted one can look complete.
    unfinished = own / "failed.ipynb"
    try:
        papermill.execute_notebook(
            notebook, unfinished, parameters, progress_bar=progress, kernel_manager_class=QuietKernel
        )
    except papermill.PapermillExecutionError as error:
        raise ValueError(f"{error.ename}: {error.evalue} (in cell {error.exec_count} of {unfinished})") from error
    return unfinished.replace(own / "notebook.ipynb")
