"""Bring a bare Debian 12 to where `lab` runs, and say what is missing where that may not be done.

`python3 -m deploy.bootstrap` installs each part that its check finds wanting, and nothing a second time.
With `--check` it only looks. `checks()` is what `lab doctor` shows. Standard library only: no environment exists yet.
Exit codes: 0 all is there, 1 a part failed to install, 2 bad usage, 3 something needed is missing, 130 stopped.
"""

from __future__ import annotations

import signal
import sys

from deploy.install import debian, engine, environment, machine, tools
from deploy.install.part import Check, InstallError, MissingError, Part, say

PARTS: tuple[Part, ...] = (debian.PART, environment.ENVIRONMENT, environment.STUBS, engine.PART, *tools.PARTS)


def checks() -> list[Check]:
    """Every part of the installation, and what the machine offers; changes nothing."""
    return [*(part.check() for part in PARTS), *machine.checks()]


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        say(f"usage: python3 -m deploy.bootstrap [--check], not: {' '.join(arguments)}")
        return 2
    return look() if arguments else install()


def install() -> int:
    try:
        for number, part in enumerate(PARTS, start=1):
            step(part, f"[{number}/{len(PARTS)}]")
    except MissingError as error:
        say(str(error))
        return 3
    except InstallError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped; make setup goes on from here")
        return 130
    return 0


def step(part: Part, label: str) -> None:
    """Install one part unless it is there. What the lab can do without may fail: that is said, and the rest goes on."""
    before = part.check()
    if before.ok:
        return
    say(f"{label} {before.name}: {before.found}")
    try:
        part.install()
    except InstallError as error:
        if before.needed:
            raise
        say(f"{label} {before.name}: goes without it. {error}")
        return
    after = part.check()
    if not after.ok:
        raise InstallError(f"{label} {after.name}: still wanting after its installation: {after.found}")
    say(f"{label} {after.name}: {after.found}")


def look() -> int:
    found = checks()
    for check in found:
        mark = "ok" if check.ok else "MISSING" if check.needed else "without"
        say(f"{mark:8} {check.name}: {check.found}" + (f"\n         {check.to_do}" if check.to_do else ""))
    return 3 if any(check.needed and not check.ok for check in found) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was placed for the moment is removed then too
    sys.exit(main(sys.argv[1:]))
