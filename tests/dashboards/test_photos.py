"""Pictures of boards are taken by a browser, small enough to be kept, and each fault of the quiz fits its cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboards import page, photos
from dashboards.catalogue import BY_NAME
from dashboards.queries import Sources, Span
from deploy.faults.catalogue import fault_from

TOPOLOGY = photos.STRUCK.plan()[0].topology


def test_a_picture_shows_a_board_in_few_colours(sources: Sources, span: Span, tmp_path: Path) -> None:
    overview = BY_NAME["overview"]
    shown = tmp_path / "boards.html"
    shown.write_text(page.html("Boards", page.still(sources, {"all": span}, boards=(overview,))))
    taken = photos.picture(shown, photos.size_px(overview), tmp_path)
    small = photos.small(taken)
    assert small.startswith(b"\x89PNG")
    assert len(small) < min(len(taken), 100_000)


def test_a_missing_browser_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(photos.PhotoError, match="chromium is missing"):
        photos.picture(tmp_path / "boards.html", (100, 100), tmp_path)


@pytest.mark.parametrize("document", [*photos.QUIZ, *photos.FAULT_OF_BOARD.values()], ids=json.dumps)
def test_every_fault_has_a_place_in_the_cluster_that_is_photographed(document: dict[str, object]) -> None:
    assert fault_from(document).misfit(TOPOLOGY) is None


def test_every_board_has_a_fault_to_show() -> None:
    assert set(photos.FAULT_OF_BOARD) == set(BY_NAME)
