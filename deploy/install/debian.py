"""The Debian packages: what is needed and why, and how to install them without a service of theirs ever running.

Debian starts and enables a package's service as it installs it. The lab runs servers of its own on its own ports, so
while packages go in, /usr/sbin/policy-rc.d denies every start, no Postgres cluster is created, and what came in with
them is disabled for the next boot too. Packages that were there before, their services and their settings are left
alone; a library is upgraded only where a new package depends on a newer one.

`python3 -m deploy.install.debian` installs what is missing; as root.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from deploy.install.part import ROOT, Check, InstallError, MissingError, Part, run, say

PACKAGES: dict[str, tuple[str, ...]] = {
    "the Python environment": ("ca-certificates", "python3-venv"),
    "the engine": (
        "cmake",
        "g++",
        "libbenchmark-dev",
        "libgrpc++-dev",
        "libgtest-dev",
        "libprotobuf-dev",
        "ninja-build",
        "pkg-config",
        "prometheus-cpp-dev",
        "protobuf-compiler",
        "protobuf-compiler-grpc",
    ),
    "the order path": ("haproxy", "postgresql-15", "redis-server"),
    "its observation": (
        "prometheus",
        "prometheus-alertmanager",
        "prometheus-node-exporter",
        "prometheus-postgres-exporter",
        "prometheus-process-exporter",
        "prometheus-redis-exporter",
    ),
    "load from other hosts": ("openssh-client",),
    "looking at reports": ("chromium", "fonts-dejavu-core", "poppler-utils"),
}
ALL = tuple(package for packages in PACKAGES.values() for package in packages)

APT_INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "--no-upgrade", "--no-remove")
KEEP_SETTINGS = ("--force-confdef", "--force-confold")  # a file in /etc that its owner changed stays
APT_LOCK = ("-o", "DPkg::Lock::Timeout=300")
APT_OPTIONS = (*APT_LOCK, *(word for option in KEEP_SETTINGS for word in ("-o", f"Dpkg::Options::={option}")))
MARK = "# the trading lab put this here while it installs packages\n"
DENY_STARTS = f"#!/bin/sh\n{MARK}exit 101\n"
NO_MAIN_CLUSTER = f"{MARK}create_main_cluster = off\n"


def check() -> Check:
    if shutil.which("dpkg-query") is None:
        return Check("debian packages", False, "this is not a Debian", f"install the like of: {' '.join(ALL)}")
    lacking = missing(installed())
    if not lacking:
        return Check("debian packages", True, f"{len(ALL)} installed")
    return Check("debian packages", False, f"missing: {' '.join(lacking)}", the_line(lacking))


def install() -> None:
    """As root, or by sudo where that asks for no password; else say which line does it."""
    lacking = missing(installed())
    if os.geteuid() == 0:
        install_as_root(lacking)
    elif may_sudo():
        run(["sudo", "-n", sys.executable, "-B", "-m", "deploy.install.debian"], "installing Debian packages")
    else:
        raise MissingError(f"This line installs them, and keeps their services stopped:\n\n    {the_line(lacking)}\n")


PART = Part(check, install)


def missing(present: set[str]) -> list[str]:
    return [package for package in ALL if package not in present]


def the_line(lacking: list[str]) -> str:
    """What somebody with root rights types; the comment says which packages it is about."""
    apt = shlex.join(["apt-get", "install", "--no-install-recommends", *lacking])
    return f"sudo make -C {shlex.quote(str(ROOT))} packages  # {apt}"


def install_as_root(lacking: list[str], root: Path = Path("/")) -> None:
    before = installed()
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with services_held(root) as starts_denied:
        try:
            run(["dpkg", "--configure", "--pending", *KEEP_SETTINGS], "finishing what was interrupted", quiet)
            with contextlib.suppress(InstallError):  # one source out of reach need not matter: apt-get install tells
                run(["apt-get", "update", *APT_LOCK], "reading the package lists", quiet)
            run([*APT_INSTALL, *APT_OPTIONS, *lacking], f"installing {len(lacking)} Debian packages", quiet)
        finally:
            for package in sorted(installed() - before):
                keep_down(package, stop=not starts_denied)


@contextlib.contextmanager
def services_held(root: Path) -> Iterator[bool]:
    """No service is started and no Postgres cluster created inside the block; true where it is this that sees to it.

    Where the machine has a policy-rc.d of its own, that one stays and decides.
    """
    policy = root / "usr/sbin/policy-rc.d"
    cluster = root / "etc/postgresql-common/createcluster.d/trading-lab.conf"
    with placed(policy, DENY_STARTS, 0o755) as starts_denied, placed(cluster, NO_MAIN_CLUSTER, 0o644):
        yield starts_denied


@contextlib.contextmanager
def placed(path: Path, content: str, mode: int) -> Iterator[bool]:
    """The file is there inside the block and gone after it. One that was there before is neither changed nor removed,
    unless it has this very content: then an earlier installation was killed before it could remove it."""
    ours = not path.exists() or path.read_text() == content
    if ours:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    try:
        yield ours
    finally:
        if ours:
            path.unlink()


def keep_down(package: str, stop: bool) -> None:
    """Disable whatever a newly installed package would start at the next boot."""
    listing = subprocess.run(["dpkg", "-L", package], check=True, capture_output=True, text=True).stdout
    units, scripts = services(listing)
    for unit in units:
        _quietly("deb-systemd-helper", "disable", unit, package=package)
    for script in scripts:
        _quietly("update-rc.d", script, "disable", package=package)
        if stop:
            _quietly("service", script, "stop", package=package)


def services(listing: str) -> tuple[list[str], list[str]]:
    """The systemd units and the init scripts among a package's files."""
    paths = [PurePosixPath(line) for line in listing.splitlines()]
    units = [
        path.name
        for path in paths
        if path.parent.parts[-2:] == ("systemd", "system")
        and path.suffix in (".service", ".socket", ".timer")
        and "@" not in path.name
    ]
    return units, [path.name for path in paths if path.parent == PurePosixPath("/etc/init.d")]


def installed() -> set[str]:
    command = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pairs = (line.split() for line in listing.splitlines())
    return {package for package, status in pairs if status == "installed"}


def may_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0


def _quietly(*command: str, package: str) -> None:
    # deb-systemd-helper answers maintainer scripts only, and knows them by this variable.
    environment = os.environ | {"DPKG_MAINTSCRIPT_PACKAGE": package}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        say(f"    {shlex.join(command)}: exit {done.returncode}: {done.stderr.strip()}")


def main() -> int:
    lacking = missing(installed())
    if not lacking:
        say("no Debian package is missing")
        return 0
    if os.geteuid() != 0:
        say(f"this needs root:\n    {the_line(lacking)}")
        return 3
    try:
        install_as_root(lacking)
    except InstallError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was placed is removed
    sys.exit(main())
