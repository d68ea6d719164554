"""What a frame takes on the disk, on real scenes: `python benchmarks/sizes.py [--preset balanced]`.

Every real pair or film in ../shared/data that depth can be computed of is matched, and pictures and disparity are coded
as a take codes them and in other ways. Sizes are per frame of 640x480, by the number of pixels, so that sets of other
sizes can be compared. H.264 sees single pictures as films of one frame, and real films as films.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calibration.rectify import identity_rectification
from livestereo.cli._build import build_pipeline
from livestereo.codecs import Ffv1Writer, H264Writer
from livestereo.settings import resolve_settings
from livestereo.sources import open_source
from livestereo.takes.manifest import code_disparity, decode_disparity
from livestereo.takes.writer import MARGIN_PX
from livestereo.types import StereoFrame

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
VGA = 640 * 480
SETS: dict[str, tuple[str, str]] = {
    "oakd_stereodemo": ("oakd_stereodemo/*_left.png", "oakd_stereodemo/*_right.png"),
    "skimage_motorcycle": ("skimage_motorcycle/motorcycle_left.png", "skimage_motorcycle/motorcycle_right.png"),
    "pandora_cones": ("pandora_cones/cones_left_color.png", "pandora_cones/cones_right_color.png"),
    "opencv_aloe": ("opencv_aloe/aloeL.jpg", "opencv_aloe/aloeR.jpg"),
    "kitti_drive": ("kitti_drive/left.mp4", "kitti_drive/right.mp4"),
}
FORMS = (
    "disparity, FFV1 (a take)", "disparity, PNG 16 bits", "disparity, raw 16 bits", "left, lossless FFV1 (a take)",
    "left, JPEG 85 (a camera's own)", "left, H.264 (`--raw h264`)", "left, raw 24 bits",
)  # fmt: skip


def frames(names: Sequence[str], most: int) -> Iterator[StereoFrame]:
    with open_source([str(DATA / name) for name in names]) as source:
        for _ in range(most):
            frame = source.read(10.0)
            if frame is None:
                return
            yield frame


def measure(names: Sequence[str], preset: str, most: int) -> dict[str, list[float]]:
    """KiB per VGA frame, by form."""
    sizes: dict[str, list[float]] = {form: [] for form in FORMS}
    pipeline = None
    with tempfile.TemporaryDirectory() as temp:
        writers: dict[str, Ffv1Writer | H264Writer] = {}
        for number, frame in enumerate(frames(names, most)):
            image = frame.left.image
            size = (image.shape[1], image.shape[0])
            if pipeline is None:
                pipeline = build_pipeline(resolve_settings(preset), identity_rectification(size))
                writers = {
                    FORMS[0]: Ffv1Writer(Path(temp) / "d.mkv", size, kind="gray16"),
                    FORMS[3]: Ffv1Writer(Path(temp) / "l.mkv", size),
                    FORMS[5]: H264Writer(Path(temp) / "h.mkv", size, crf=14, preset="ultrafast"),
                }
            disparity = pipeline.process(frame).disparity_px
            assert pipeline.settings is not None and pipeline.settings.min_disparity is not None
            offset = pipeline.settings.min_disparity - MARGIN_PX
            coded = code_disparity(disparity, offset)
            assert np.array_equal(decode_disparity(coded, offset), disparity, equal_nan=True)
            t_s = number / 30
            taken = {
                FORMS[0]: len(writers[FORMS[0]].write(coded, t_s)), FORMS[1]: len(cv2.imencode(".png", coded)[1]),
                FORMS[2]: coded.nbytes, FORMS[3]: len(writers[FORMS[3]].write(image, t_s)),
                FORMS[4]: len(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]),
                FORMS[5]: len(writers[FORMS[5]].write(image, t_s)), FORMS[6]: image.nbytes,
            }  # fmt: skip
            for form, count in taken.items():
                sizes[form].append(count / 1024 * VGA / (size[0] * size[1]))
        for writer in writers.values():
            writer.close()
    return sizes


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--most", type=int, default=12, help="frames of each set")
    options = parser.parse_args()
    found = {
        name: measure(files, options.preset, options.most)
        for name, files in SETS.items()
        if (DATA / files[0].split("/")[0]).is_dir()
    }
    if not found:
        print("There are no real pictures here: ../shared/data is missing.")
        return 1
    print("| KiB per 640x480 frame, mean (largest) | " + " | ".join(found) + " |\n|---|" + "---|" * len(found))
    for form in FORMS:
        cells = (f"{np.mean(sizes[form]):.0f} ({max(sizes[form]):.0f})" for sizes in found.values())
        print(f"| {form} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
