"""A convolutional network in NumPy and numba: coordinate regression and heatmaps."""
