"""Active shape models."""
