"""Frames of videos, cameras and folders of pictures, with their times; writing videos."""
