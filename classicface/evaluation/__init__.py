"""Accuracy, speed and size of predictors on annotated faces."""
