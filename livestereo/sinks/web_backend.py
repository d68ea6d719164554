"""What stands behind the page's server, which knows nothing of pictures and runs."""

from __future__ import annotations

from typing import Any, Protocol

from livestereo.types import Action


class Backend(Protocol):
    """What the page shows and does; every method may be called from any thread."""

    def views(self) -> tuple[str, ...]:
        """Names of the pictures there are."""
        ...

    def wait_picture(self, view: str, after: int, timeout_s: float) -> tuple[int, bytes] | None:
        """Wait for a JPEG newer than serial `after`."""
        ...

    def state(self, since: int, view: str | None = None) -> dict[str, Any]:
        """Figures, settings, the messages after number `since`, and the key of the colours of `view`."""
        ...

    def parameters(self) -> list[dict[str, Any]]:
        """Describe the sliders."""
        ...

    def probe(self, u: float, v: float) -> dict[str, Any]:
        """What is known at a place of the picture, both 0..1 from its upper left corner."""
        ...

    def screenshot(self, view: str = "split") -> bytes:
        """A PNG of a view, with legend and figures.

        Raises:
            SettingsError: there is no such view.
            LiveStereoError: there is no picture yet.
        """
        ...

    def act(self, action: Action) -> None:
        """Do what the person asks for.

        Raises:
            LiveStereoError: it is not possible.
        """
        ...

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        ...
