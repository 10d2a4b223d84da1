"""Cascades of regressors over shape-indexed pixels."""
