"""Pixel-wise Adaptive Training (PAT) for long-tailed segmentation, and the losses it is compared with.

losses, metrics, models and data stand alone; train knows them; runs knows train; tables reads the records of runs;
plots and explore draw. Nothing is imported here, so that ``import patlib.data`` does not pay for PyTorch.
"""
