"""`python -m patlib.cli` does what `patlib` does."""

from patlib.cli import app

app()
