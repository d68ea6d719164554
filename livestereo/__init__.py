"""Live stereo depth from any two cameras."""

__version__ = "0.1.0"
