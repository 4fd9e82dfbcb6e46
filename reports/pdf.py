"""A report on paper: its page printed by Chromium, whose style for print is in the page itself."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

DEADLINE_S = 60.0
CHROMIUM = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server", "--no-pdf-header-footer",
)  # fmt: skip


class PdfError(Exception):
    """A page could not be printed; the text says why and what to do."""


def printed(page: Path) -> Path:
    """The page as PDF beside it. Raises PdfError."""
    program = shutil.which("chromium")
    if program is None:
        raise PdfError("chromium is missing, and a PDF needs it; apt-get install chromium")
    to = page.with_suffix(".pdf").absolute()
    to.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = (program, *CHROMIUM, f"--user-data-dir={scratch}", f"--print-to-pdf={to}", page.absolute().as_uri())
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        except subprocess.TimeoutExpired:
            raise PdfError(f"chromium did not print {page} within {DEADLINE_S:g} s; try again") from None
    if not to.exists():
        raise PdfError(f"chromium did not print {page}: {done.stderr.strip()[-300:]}")
    return to
