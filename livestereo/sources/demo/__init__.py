"""The demo: a scene that the program renders itself, through two cameras whose truth is known exactly."""

from __future__ import annotations

from livestereo.sources.demo.options import open_demo
from livestereo.sources.demo.shapes import Surface
from livestereo.sources.demo.source import SCENES, DemoSource
from livestereo.sources.demo.truth import DemoTruth

__all__ = ["SCENES", "DemoSource", "DemoTruth", "Surface", "open_demo"]
