"""What may stand behind `demo:`: the scene and its options, read and checked.

    demo:room,seed=1,phase=8ms,jitter=3ms,drift=5ms/min,drop=2%,unplug=left@5s+3s,expose=right*1.25+8
"""

from __future__ import annotations

from livestereo.errors import SourceError
from livestereo.sources.demo.source import DEFAULT_SIZE, SCENES, DemoSource
from livestereo.sources.request import SourceRequest, parse_size


def open_demo(text: str, request: SourceRequest) -> DemoSource:
    """Make the source that `demo[:scene[,option…]]` names.

    Raises:
        SourceError: an unknown scene or option, or a value that is not of its form.
    """
    _, _, rest = text.partition(":")
    scene, seed, size, count = "room", 0, request.size[0] or DEFAULT_SIZE, None
    for word in (part.strip() for part in rest.split(",") if part.strip()):
        key, _, value = word.partition("=")
        if word in SCENES:
            scene = word
        elif key == "seed" and value.isdigit():
            seed = int(value)
        elif key == "count" and value.isdigit():
            count = int(value)
        elif key == "size":
            size = parse_size(value)
        else:
            raise SourceError(f"The demo has no {word!r}.", f"Scenes: {', '.join(SCENES)}. Options: seed=N, count=N.")
    return DemoSource(scene, seed, size, fps=request.fps[0] or 30.0, count=count)
