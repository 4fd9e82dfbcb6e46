"""Pictures of the boards under load, calm and with a fault, by a browser without a window: for docs, and for a quiz.

The quiz asks whether the overview names the component: ten faults, a picture each, the key in a file apart.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from dashboards import page
from dashboards.catalogue import BOARDS, BY_NAME
from dashboards.loaded import CAMPAIGN, loaded_cluster
from dashboards.model import Board, placed
from dashboards.queries import Sources, Span
from deploy.cluster import Cluster
from deploy.faults.catalogue import fault_from
from deploy.faults.fault import inflicted
from deploy.local.control import Say

SEEN_S = 26.0
CALM_S = 16.0
STRUCK_S = 10.0
"""The picture is taken this long into a fault, before it ends."""
SCRAPED_S = 1.5
WIDTH_PX = 1360
ROW_PX, MARGIN_PX = 38, 110
COLOURS = 256
CHROMIUM_DEADLINE_S = 60.0
CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--virtual-time-budget=3000", "--no-proxy-server",
)  # fmt: skip

STRUCK = CAMPAIGN.model_copy(update={"overrides": {"ledger.disk_faults": True, "engine.disk_faults": True}})
"""The same load on parts whose disks can be made slow."""

FAULT_OF_BOARD: dict[str, dict[str, Any]] = {
    "overview": {"kind": "slow_sync", "part": "ledger-1", "delay_ms": 20},
    "order_path": {"kind": "freeze", "part": "gateway-1"},
    "postgres": {"kind": "table_lock"},
    "engine": {"kind": "slow_sync", "part": "engine", "delay_ms": 20},
    "redis": {"kind": "freeze", "part": "redis"},
    "load": {"kind": "cpu_quota", "part": "gateway-1", "cores": 0.1},
    "slo": {"kind": "table_lock"},
    "host": {"kind": "cpu_hog", "processes": 4},
}
"""What each board is made to show, beside calm."""

QUIZ: tuple[dict[str, Any], ...] = (
    {"kind": "freeze", "part": "haproxy"},
    {"kind": "freeze", "part": "gateway-1"},
    {"kind": "freeze", "part": "engine"},
    {"kind": "freeze", "part": "ledger-1"},
    {"kind": "freeze", "part": "redis"},
    {"kind": "slow_sync", "part": "ledger-1", "delay_ms": 20},
    {"kind": "slow_sync", "part": "engine", "delay_ms": 20},
    {"kind": "table_lock"},
    {"kind": "cpu_quota", "part": "gateway-1", "cores": 0.1},
    {"kind": "cpu_hog", "processes": 4},
)


class PhotoError(Exception):
    """A picture could not be taken; the text says why and what to do."""


def portraits(directory: Path, to: Path, say: Say) -> list[Path]:
    """NAME.png of every board under load, and NAME-fault.png with the board's own fault."""
    to.mkdir(parents=True, exist_ok=True)
    with loaded_cluster(directory, say, SEEN_S, STRUCK) as cluster:
        taken = [photograph(cluster, board, to / f"{board.name}.png") for board in BOARDS]
        for name, document in FAULT_OF_BOARD.items():
            taken.append(struck(cluster, BY_NAME[name], document, to / f"{name}-fault.png", say))
    return taken


def quiz(directory: Path, to: Path, key: Path, seed: int, say: Say) -> list[Path]:
    """1.png to 10.png of the overview, each with a fault; which one stands in `key`, in a file apart."""
    to.mkdir(parents=True, exist_ok=True)
    asked = Random(f"{seed}/quiz").sample(QUIZ, len(QUIZ))
    with loaded_cluster(directory, say, SEEN_S, STRUCK) as cluster:
        taken = [
            struck(cluster, BY_NAME["overview"], document, to / f"{number}.png", lambda _: None)
            for number, document in enumerate(asked, 1)
        ]
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_text(json.dumps(dict(enumerate(asked, 1)), indent=1) + "\n")
    return taken


def struck(cluster: Cluster, board: Board, document: dict[str, Any], to: Path, say: Say) -> Path:
    """The board some seconds into the fault, with the calm before it."""
    say(f"{board.name}: {document}")
    time.sleep(CALM_S)
    with inflicted(cluster, fault_from(document)):
        time.sleep(STRUCK_S)
        return photograph(cluster, board, to)


def photograph(cluster: Cluster, board: Board, to: Path) -> Path:
    """The board over the last seconds. Raises PhotoError, QueryError."""
    until = time.time() - SCRAPED_S
    loki = cluster.address("loki") if cluster.topology.observability.loki else None
    with Sources(cluster.address("prometheus"), loki) as sources:
        document = page.still(sources, {"last seconds": Span(until - SEEN_S, until)}, boards=(board,))
    with tempfile.TemporaryDirectory() as scratch:
        shown = Path(scratch) / "boards.html"
        shown.write_text(page.html("Boards", document))
        to.write_bytes(small(picture(shown, size_px(board), Path(scratch))))
    return to


def picture(shown: Path, size: tuple[int, int], scratch: Path) -> bytes:
    """PNG of the page, by Chromium. Raises PhotoError."""
    program = shutil.which("chromium")
    if program is None:
        raise PhotoError("chromium is missing, and pictures need it; apt-get install chromium")
    taken = scratch / "picture.png"
    command = (
        program, *CHROMIUM[1:], f"--user-data-dir={scratch / 'chromium'}", f"--screenshot={taken}",
        f"--window-size={size[0]},{size[1]}", shown.as_uri(),
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHROMIUM_DEADLINE_S, check=False)
    if not taken.exists():
        raise PhotoError(f"chromium took no picture: {done.stderr.strip()[-300:]}")
    return taken.read_bytes()


def size_px(board: Board) -> tuple[int, int]:
    rows = max(place.y + place.height for _, place in placed(board))
    return WIDTH_PX, rows * ROW_PX + MARGIN_PX


def small(png: bytes) -> bytes:
    """With a palette: half of the bytes, and hardly anything of it is seen."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()
