"""Sets of rendered board pictures on disk, from a drawn rig with exact truth."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
from synthetic.board_scenes import Scene, SceneOptions, make_scene
from synthetic.drawn_boards import Look, render_board_pair

# Small pictures and few views: enough for a rig, quick to render and to search.
SMALL = SceneOptions(
    views=8, size_wh=(480, 360), focal_px=420.0, baseline_m=0.08, depth_m=(0.3, 0.55), distortion=(-0.1, 0.05, 0, 0, 0)
)


def render_set(
    options: SceneOptions = SMALL, seed: int = 0, look: Look | None = None
) -> tuple[Scene, list[np.ndarray]]:
    """Draw a scene and render its pairs: left, right, left, right, …"""
    # Whole squares around the corners must be in the picture too: leave room by drawing a board with one more of each.
    board = options.board
    kind, grid, *rest = board.split(":")
    columns, rows = (int(n) for n in grid.split("x"))
    if kind == "chessboard":
        wide = dataclasses.replace(options, board=":".join([kind, f"{columns + 2}x{rows + 2}", *rest]))
        scene = make_scene(seed, wide)
        square = scene.board.unit_m
        inner = make_scene(seed, dataclasses.replace(options, views=1)).board
        t = np.array([t + R @ np.array([square, square, 0]) for R, t in zip(scene.R, scene.t)])
        scene = dataclasses.replace(scene, board=inner, t=t, views=())
    else:
        scene = make_scene(seed, options)
    pictures: list[np.ndarray] = []
    for i, (R, t) in enumerate(zip(scene.R, scene.t)):
        pictures += render_board_pair(scene.rig, scene.board, R, t, scene.shape, look, seed=2 * i)
    return scene, pictures


def write_set(folder: Path, pictures: list[np.ndarray]) -> None:
    """Write pairs as left00.png, right00.png, …"""
    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        assert cv2.imwrite(str(folder / f"{('left', 'right')[i % 2]}{i // 2:02d}.png"), picture)
