"""Landmarker: a detector, a predictor and a tracker in one object."""
