"""Frames of videos, cameras and folders of pictures, with their times; writing videos."""

from classicface.video.opening import open_video
from classicface.video.source import Frame, VideoSource
from classicface.video.writer import VideoWriter

__all__ = ["Frame", "VideoSource", "VideoWriter", "open_video"]
