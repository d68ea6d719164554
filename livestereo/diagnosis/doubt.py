"""Why much of the depth of a pair is probably wrong: a few checks, made only where the confidence says so."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.rigfile import RigFile
from livestereo.diagnosis import geometry, pictures, scene
from livestereo.diagnosis.evidence import Evidence
from livestereo.diagnosis.examine import Check, examine
from livestereo.trust import judge
from livestereo.types import SourceInfo, StereoResult

# Percent of the known pixels that are likelier wrong than right. Real pairs that are in order have up to 43, those of a
# chessboard, whose squares resemble each other, 62; pictures that are exchanged or off by 3 rows have 94.
SUSPICIOUS, TOLD, HOPELESS = 25.0, 48.0, 66.0
OF_THE_RIG: tuple[Check, ...] = (pictures.turned, geometry.rig, geometry.disparity_range)
OF_THE_SCENE: tuple[Check, ...] = (pictures.sharpness, scene.texture, scene.repetition)


@dataclass(frozen=True)
class Doubt:
    """What to tell of a pair's depth. wrong: something is out of order, rather than hard to match."""

    text: str
    wrong: bool


def doubt(result: StereoResult, info: SourceInfo, rig_file: RigFile | None) -> Doubt | None:
    """Tell how much of the depth is probably wrong, and why; None where it is in order or nobody can tell."""
    judged = judge(result)
    if judged is None or judged.unlikely_percent < SUSPICIOUS:
        return None
    evidence = Evidence(
        [result.frame], info, rig_file=rig_file, rectification=result.pair.rectification, result=result,
        settings=result.settings.model_dump() if result.settings is not None else {},
    )  # fmt: skip
    share = f"{judged.unlikely_percent:.0f} % of the depth is probably wrong"
    causes = [found for found in examine(evidence, OF_THE_RIG) if not found.ok]
    if causes:
        return Doubt(f"{share}. {causes[0].what} {causes[0].fix}".strip(), wrong=True)
    if judged.unlikely_percent < TOLD:
        return None
    seen = [found.what for found in examine(evidence, OF_THE_SCENE) if not found.ok]
    why = seen[0] if seen else "Run `livestereo doctor` on the same pictures: it may say why."
    return Doubt(f"{share}: it fits the two pictures badly. {why}", wrong=judged.unlikely_percent >= HOPELESS)
