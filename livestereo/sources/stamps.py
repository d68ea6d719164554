"""Whose stamps count: the driver's where both cameras have good ones, else the moment after the grab."""

from __future__ import annotations

GOOD_FRAMES = 10
BAD_FRAMES = 5
MOST_LATE_S = 0.5
TOLERANCE_S = 0.002


class StampChoice:
    """Chooses for both cameras alike: a driver stamps when the exposure was read out, we when it was delivered.

    One of each would set the pair tens of milliseconds apart. Pure; not for use by two threads at once.
    """

    def __init__(self, cameras: int) -> None:
        self._good = [0] * cameras
        self._last: list[float | None] = [None] * cameras
        self._driver = False
        self._bad = 0
        self._late_s = [0.0] * cameras

    @property
    def label(self) -> str:
        """Whose stamps count now: `driver` or `grab`."""
        return "driver" if self._driver else "grab"

    def restart(self, side: int) -> None:
        """The camera was opened again."""
        self._good[side], self._last[side] = 0, None

    def choose(self, side: int, grab_s: float, driver_s: float | None) -> tuple[float, bool]:
        """Give (the stamp of this frame, whether the choice has just changed for both cameras)."""
        last = self._last[side]
        sane = (
            driver_s is not None
            and -TOLERANCE_S <= grab_s - driver_s < MOST_LATE_S
            and (last is None or driver_s > last)
        )
        before = self._driver
        if sane and driver_s is not None:
            self._last[side], self._bad = driver_s, 0
            self._good[side] += 1
            self._late_s[side] += 0.1 * (grab_s - driver_s - self._late_s[side])
            if all(good >= GOOD_FRAMES for good in self._good):
                self._driver = True
            return (driver_s if self._driver else grab_s), self._driver != before
        self._bad += 1
        if self._bad >= BAD_FRAMES or driver_s is None:
            self._driver = False
            self._good[side] = 0
        # A single odd stamp is made good by how late the driver's frames usually come.
        return (grab_s - self._late_s[side] if self._driver else grab_s), self._driver != before
