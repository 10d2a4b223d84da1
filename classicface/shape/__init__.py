"""Geometry of landmarks: similarity transforms, boxes, schemes."""
