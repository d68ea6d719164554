"""The live cloud in the browser, by viser (an extra): camera frustums, cuts, and the cloud as a PLY.

Nothing is computed while nobody looks. Everything the page needs is in the library: it works with no network.
"""

from __future__ import annotations

import contextlib
import io
import math
import socket
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.errors import LiveStereoError, MissingExtra
from livestereo.ply import cloud_comments, write_ply
from livestereo.points import make_cloud, upright
from livestereo.render.compose import default_range
from livestereo.sinks.view3d_cloud import Cuts, live_cloud
from livestereo.sinks.web_guard import WebAddress
from livestereo.timing import Clock, RateMeter, monotonic
from livestereo.types import SourceInfo, StereoResult

MOST_PER_S = 10.0
PICTURE_EVERY_S = 1.0
JOIN_S = 5.0
MOST_POINTS = 200_000


def _viser() -> Any:
    try:
        import viser
    except ImportError as error:
        raise MissingExtra("The 3D view is not installed.", "Run: pip install 'livestereo[view3d]'") from error
    return viser


class View3d:
    """A result sink: shows the newest cloud, as fast as the browser and this computer allow, up to 10 a second.

    Raises:
        MissingExtra: viser is not installed.
        LiveStereoError: the port is in use.
    """

    shows = True

    def __init__(
        self, address: WebAddress, *, save_dir: Path = Path("livestereo-out"), cuts: Cuts | None = None,
        clock: Clock = monotonic,
    ) -> None:  # fmt: skip
        viser = _viser()
        port = _free_port(address)
        # viser prints a table of its own about where it listens; we say it in our words.
        with contextlib.redirect_stdout(io.StringIO()):
            self._server: Any = viser.ViserServer(host=address.host, port=port, label="livestereo", verbose=False)
        self.address = WebAddress(address.host, int(self._server.get_port()))
        self._save_dir = save_dir
        self._start = cuts or Cuts()
        self._clock = clock
        self._changed = threading.Condition()
        self._newest: StereoResult | None = None
        self._count = 0
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._rate = RateMeter(clock=clock)
        self._picture_s = -math.inf
        self._cloud: Any = None
        self._look = 0  # grows when the same result would look different
        self._shown: tuple[int, int] | None = None  # the result and the look that the page has
        self._cameras_look = -1
        self._seen: tuple[StereoResult, int] | None = None  # on the page now, and its count
        self.clouds = 0
        self.failure: BaseException | None = None
        self._build_panel()

    @property
    def link(self) -> str:
        """Where the page is."""
        host = "localhost" if self.address.host in ("127.0.0.1", "0.0.0.0") else self.address.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.address.port}/"

    # --- the panel

    def _build_panel(self) -> None:
        server, start = self._server, self._start
        server.scene.set_up_direction("-y")
        server.gui.configure_theme(
            dark_mode=True, show_logo=False, show_share_button=False, brand_color=(96, 186, 238), control_width="medium"
        )
        server.gui.set_panel_label("livestereo")
        self._figures = server.gui.add_markdown("Waiting for depth …")
        with server.gui.add_folder("Points"):
            self._most = server.gui.add_slider("At most (thousand)", 5, MOST_POINTS // 1000, 5, start.most // 1000)
            self._size = server.gui.add_slider("Size", 0.2, 4.0, 0.1, 1.0)
            self._edges = server.gui.add_checkbox("Leave out depth edges", start.edges)
        self._range: Any = None  # its scale depends on the rig
        self._cut_folder = server.gui.add_folder("Cuts")
        with self._cut_folder:
            self._confidence = server.gui.add_slider("Confidence at least", 0.0, 1.0, 0.05, start.confidence)
        with server.gui.add_folder("Cameras"):
            self._cameras = server.gui.add_checkbox("Show", True)
        self._freeze = server.gui.add_checkbox("Hold still", False)
        save = server.gui.add_button("Save as PLY")
        save.on_click(lambda _: self._save())
        for control in (self._most, self._size, self._edges, self._confidence, self._cameras, self._freeze):
            control.on_update(lambda _: self._look_again())
        server.on_client_connect(lambda client: self._welcome(client))

    def _build_range(self, result: StereoResult) -> None:
        """Add the slider of depth, as far as this rig can tell depths apart and half as far again."""
        at = result.pair.rectification
        usual = default_range(at.focal_px, at.baseline_m, at.focal_px * at.baseline_m / 128).far_m
        top, step = 2.0 * usual, usual / 50
        unit = "m" if at.metric else "relative"
        with self._cut_folder:
            self._range = self._server.gui.add_multi_slider(
                f"Depth ({unit})", 0.0, round(top, 3), round(step, 4),
                (min(self._start.near_m, usual), min(self._start.far_m, 1.5 * usual)),
            )  # fmt: skip
        self._range.on_update(lambda _: self._look_again())

    def _look_again(self) -> None:
        with self._changed:
            self._look += 1
            self._changed.notify_all()

    def _welcome(self, client: Any) -> None:
        """Put a new viewer a little behind and above the left camera, looking into the scene."""
        result = self._newest
        reach = 2.0
        if result is not None:
            known = result.depth_m[::8, ::8]
            known = known[np.isfinite(known)]
            reach = float(np.median(known)) if known.size else reach
        client.camera.up_direction = (0.0, -1.0, 0.0)
        client.camera.position = (-0.25 * reach, -0.3 * reach, -0.5 * reach)
        client.camera.look_at = (0.0, 0.05 * reach, reach)
        self._look_again()

    def cuts(self) -> Cuts:
        """What the panel asks for."""
        near, far, top = self._start.near_m, self._start.far_m, math.inf
        if self._range is not None:
            (near, far), top = self._range.value, float(self._range.max)
        return Cuts(
            most=int(self._most.value * 1000), near_m=float(near), far_m=math.inf if far >= top else float(far),
            confidence=float(self._confidence.value), edges=bool(self._edges.value),
        )  # fmt: skip

    # --- the sink

    def open(self, info: SourceInfo) -> None:
        """Begin to show."""
        self._thread = threading.Thread(target=self._run, name="livestereo-view3d", daemon=True)
        self._thread.start()

    def accept(self, result: StereoResult) -> None:
        """Keep the newest result; nothing is computed here."""
        if self.failure is not None:
            raise self.failure
        with self._changed:
            self._newest = result
            self._count += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Stop; idempotent."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(JOIN_S)
            self._thread = None
        if self._server is not None:
            with contextlib.redirect_stdout(io.StringIO()):
                self._server.stop()
            self._server = None

    # --- its thread

    def _due(self) -> bool:
        if self._newest is None or not self._server.get_clients():
            return False
        if self._shown is None or self._shown[1] != self._look:
            return True
        return self._shown[0] != self._count and not self._freeze.value

    def _looked_at(self) -> tuple[StereoResult, int] | None:
        """Give the result to show, and its count: the newest, or the one that is held still."""
        if self._freeze.value and self._seen is not None:
            return self._seen
        return None if self._newest is None else (self._newest, self._count)

    def _run(self) -> None:
        next_s = 0.0
        try:
            while True:
                with self._changed:
                    # A new viewer or a moved slider wakes us, as a new result does.
                    self._changed.wait_for(lambda: self._stopping or self._due())
                    while not self._stopping and (left := next_s - self._clock()) > 0:
                        self._changed.wait(left)
                    if self._stopping:
                        return
                    now, look = self._looked_at(), self._look
                next_s = self._clock() + 1 / MOST_PER_S
                assert now is not None
                self._show(now[0], look)
                with self._changed:
                    self._seen, self._shown = now, (now[1], look)
        except Exception as error:  # a thread's edge: raised in `accept`
            self.failure = error

    def _show(self, result: StereoResult, look: int) -> None:
        if self._range is None:
            self._build_range(result)
        points, colors = live_cloud(result, self.cuts())
        size = float(self._size.value) * _spacing(points, result)
        with self._server.atomic():
            if self._cloud is None:
                self._cloud = self._server.scene.add_point_cloud(
                    "/cloud", points=points, colors=colors, point_size=size, point_shape="rounded",
                    precision="float16", point_shading="flat",
                )  # fmt: skip
            else:
                self._cloud.points, self._cloud.colors, self._cloud.point_size = points, colors, size
            now = self._clock()
            if now - self._picture_s >= PICTURE_EVERY_S or look != self._cameras_look:
                self._picture_s, self._cameras_look = now, look
                self._draw_cameras(result)
                self._figures.content = self._text(len(points), result)
        self.clouds += 1
        self._rate.tick()

    def _text(self, count: int, result: StereoResult) -> str:
        unit = "" if result.pair.rectification.metric else " Depth is relative: there is no rig."
        return f"**{count / 1000:.0f} k** points, **{self._rate.rate():.1f}** clouds per second.{unit}"

    def _draw_cameras(self, result: StereoResult) -> None:
        at = result.pair.rectification
        w, h = at.size_wh
        scale = min(0.2, 0.9 * at.baseline_m) if at.metric else 0.4 * at.baseline_m
        picture = np.asarray(cv2.resize(result.pair.left, (160, max(2, 160 * h // w)), interpolation=cv2.INTER_AREA))
        offset = np.array([[at.baseline_m, 0.0, 0.0]], np.float32)
        right = upright(offset, at)[0]
        turn = -at.display_turns * math.pi / 4  # half the angle of the quarter turns, about the viewing axis
        turned = (math.cos(turn), 0.0, 0.0, math.sin(turn))
        cameras: tuple[tuple[str, Any, Any, Any], ...] = (
            ("left", (0.0, 0.0, 0.0), (96, 186, 238), picture[..., ::-1]),
            ("right", tuple(right), (244, 178, 60), None),
        )
        for name, position, color, image in cameras:
            self._server.scene.add_camera_frustum(
                f"/cameras/{name}", fov=2 * math.atan(h / 2 / at.focal_px), aspect=w / h, scale=scale, color=color,
                image=image, jpeg_quality=75, format="jpeg", position=position, wxyz=turned, thickness=1.5,
                thickness_units="screen",
                visible=bool(self._cameras.value),
            )  # fmt: skip

    def _save(self) -> None:
        """Write the whole cloud that is shown, cleaned and with normals, within the cuts of the panel."""
        with self._changed:
            now = self._looked_at()
        if now is None:
            return
        result = now[0]
        cuts = self.cuts()
        at = result.pair.rectification
        path = self._save_dir / f"{datetime.now():%Y%m%d-%H%M%S}_cloud.ply"
        try:
            cloud = make_cloud(result.depth_m, result.pair.left, at, near_m=cuts.near_m, far_m=cuts.far_m)
            write_ply(path, cloud.points, cloud.colors, cloud.normals, comments=cloud_comments(at))
        except LiveStereoError as error:
            self._notify("Not saved", str(error))
            return
        self._notify("Saved", f"{len(cloud.points)} points: {path}")

    def _notify(self, title: str, body: str) -> None:
        for client in self._server.get_clients().values():
            client.add_notification(title, body, auto_close_seconds=6)


def _spacing(points: NDArray[np.float32], result: StereoResult) -> float:
    """Distance between neighbouring points in the middle of the cloud: points of that size close the surface."""
    if not len(points):
        return 0.01
    z = float(np.median(points[:, 2]))
    known = max(1, int(np.count_nonzero(np.isfinite(result.depth_m))))
    thinned = math.sqrt(max(1.0, known / len(points)))
    return z / result.pair.rectification.focal_px * thinned * 1.2


def _free_port(address: WebAddress) -> int:
    """Give the port to listen on: the one that is asked for, any free one for 0.

    viser would quietly take another one where the port is in use, and 8080 for 0.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
            return int(probe.getsockname()[1])
        except PermissionError:
            raise LiveStereoError(
                f"Port {address.port} may not be used.", "Choose a port above 1023: --view3d-at 8090."
            ) from None
        except OSError as error:
            raise LiveStereoError(
                f"The 3D view cannot listen on {address.host}:{address.port}: {error.strerror or error}.",
                "Another program uses that port? Choose another one with --view3d-at, or 0 for any free one.",
            ) from None
