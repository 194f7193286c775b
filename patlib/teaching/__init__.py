"""What only the notebooks and the book need: figures, pictures that move with and without a kernel, their renderer.

It needs the packages of ``patlib[notebooks]``. It looks at losses and datasets, never at how runs are made.
"""

from patlib.install import require_extra

require_extra("notebooks", "altair", "IPython", "ipywidgets", "seaborn")
