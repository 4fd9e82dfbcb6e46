"""Starts a Grafana found on this machine, after writing the files that provision it: always the present boards.

    python -m dashboards.grafana_server PROGRAM CONFIGURATION FOLDER

It becomes Grafana (exec), so whoever keeps this process keeps Grafana.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dashboards import grafana

DEBIANS_HOME = Path("/usr/share/grafana")


def command(program: Path, configuration: Path) -> list[str]:
    """`grafana server`, or the older `grafana-server`; its home holds the defaults and the pages."""
    own = program.resolve().parent.parent
    home = own if (own / "conf" / "defaults.ini").exists() else DEBIANS_HOME
    words = ["server"] if program.name == "grafana" else []
    return [str(program), *words, f"--homepath={home}", f"--config={configuration}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dashboards.grafana_server", description=__doc__)
    for name in ("program", "configuration", "folder"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    grafana.write(given.folder)
    words = command(given.program, given.configuration)
    os.execv(words[0], words)


if __name__ == "__main__":
    main()
