"""The Python environment `.venv`: the locked dependencies, the lab itself, and what is generated from the protos."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.install.part import ROOT, Check, InstallError, Part, digest, holds, locked, run

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
PROJECT = ROOT / "pyproject.toml"
PROTOS = ROOT / "target_system" / "proto"
INSTALLED = VENV / "installed.stamp"
GENERATED = VENV / "generated.stamp"


def check_environment() -> Check:
    if not PYTHON.exists():
        return Check("python environment", False, ".venv is missing", "make setup")
    if not holds(INSTALLED, _environment_key()):
        return Check("python environment", False, ".venv does not match requirements.lock", "make setup")
    return Check("python environment", True, "as locked")


def install_environment() -> None:
    with locked(ROOT / ".lab"):
        _create()
        _install_uv()
        uv_install(["--python", str(PYTHON), "--require-hashes", "--requirement", str(LOCK)], "installing the packages")
        itself = ["--offline", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        uv_install(["--python", str(PYTHON), *itself], "installing the lab")
        INSTALLED.write_text(_environment_key())


def uv_install(arguments: list[str], title: str) -> None:
    """`uv pip install` with the certificates that the system trusts and the registry that pip is configured for."""
    run([str(VENV / "bin" / "uv"), "pip", "install", "--system-certs", *arguments], title, _registry())


def check_generated() -> Check:
    stale = not holds(GENERATED, _generated_key()) or not all(path.exists() for path in _generated_files())
    if stale:
        return Check("python stubs", False, "not generated from the present protos", "make setup")
    return Check("python stubs", True, "generated")


def generate() -> None:
    # The include path is the root of the checkout, so the modules import one another as target_system.proto.*.
    outputs = [f"--{kind}_out={ROOT}" for kind in ("python", "pyi", "grpc_python")]
    command = [str(PYTHON), "-m", "grpc_tools.protoc", f"--proto_path={ROOT}", *outputs]
    run([*command, *(str(path) for path in _protos())], "generating the Python stubs")
    GENERATED.write_text(_generated_key())


ENVIRONMENT = Part(check_environment, install_environment)
STUBS = Part(check_generated, generate)


def locked_requirement(name: str, lock: str) -> str:
    """The lines of the lock for one package: its version and its hashes."""
    found = re.search(rf"^{re.escape(name)}==.*(?:\n    --hash=.*)+", lock, flags=re.MULTILINE)
    if found is None:
        raise InstallError(f"requirements.lock: no {name} in it; add it to pyproject.toml and run make lock")
    return found.group() + "\n"


def registry_from_pip(listing: str) -> dict[str, str]:
    """uv's settings for the package registry that pip is configured for; uv does not read pip's configuration.

    `listing` is the output of `pip config list`. There the environment comes last and wins, as it does in pip.
    """
    values: dict[str, str] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        values[key.rpartition(".")[2].replace("_", "-")] = ast.literal_eval(value)
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[key]: " ".join(value.split()) for key, value in values.items() if key in names}


def _environment_key() -> str:
    # The place is part of it: scripts in .venv/bin name their interpreter by its absolute path.
    return digest([LOCK, PROJECT], str(VENV))


def _create() -> None:
    """A new environment, unless there is one that was made for this place and still runs."""
    pip = VENV / "bin" / "pip"
    if PYTHON.exists() and pip.exists() and pip.read_text().startswith(f"#!{VENV}/"):
        return
    run([sys.executable, "-m", "venv", "--clear", str(VENV)], "creating .venv")


def _install_uv() -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(locked_requirement("uv", LOCK.read_text()))
        file.flush()
        pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        run([*pip, "--requirement", file.name], "installing uv")


def _registry() -> dict[str, str]:
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    found = registry_from_pip(listing)
    return {name: value for name, value in found.items() if name not in os.environ}


def _protos() -> list[Path]:
    return sorted(PROTOS.glob("*.proto"))


def _generated_files() -> list[Path]:
    endings = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
    return [proto.with_name(proto.stem + ending) for proto in _protos() for ending in endings]


def _generated_key() -> str:
    return digest([*_protos(), LOCK])
