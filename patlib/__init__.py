"""Pixel-wise Adaptive Training (PAT) for long-tailed segmentation, and the losses it is compared with.

losses, metrics, models and data stand alone; train knows them; runs knows train; grids says which runs make a table,
tables reads their records, published holds the paper's numbers; released and deviations compare with the authors' code;
plots, explore and pixels draw. Nothing is imported here, so that ``import patlib.datasets`` does not pay for PyTorch.
"""
