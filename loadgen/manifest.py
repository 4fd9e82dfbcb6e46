"""The manifest of a run: what lies in its folder, byte for byte, and whether that is still what was sealed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadgen.layout import FORMAT, MANIFEST, files_of


class RunError(Exception):
    """The folder is no run, or one of a format that this version does not know: bad input."""


class DamagedRunError(RunError):
    """A sealed run whose bytes are not those that were sealed: a failed check."""


def as_sealed(folder: Path) -> dict[str, Any]:
    """The manifest of a folder whose every byte is as it was sealed. Raises as `Run.open` does."""
    manifest = _read_manifest(folder)
    listed: dict[str, dict[str, Any]] = manifest["files"]
    damage = [f"{name} is not listed in the manifest" for name in sorted(files_of(manifest["format"]) - set(listed))]
    damage += [fault for name, seal in sorted(listed.items()) if (fault := _fault_of(folder / name, seal))]
    if damage:
        raise DamagedRunError(
            f"{folder}: not as it was sealed: {'; '.join(damage)}. Restore it from a copy or run the campaign again"
        )
    return manifest


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Over the manifest without its own digest, so that an edited manifest is found as an edited file is."""
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise RunError(f"{folder}: not a sealed run: it has no {MANIFEST}; `lab run CAMPAIGN` makes one under runs/")
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError as error:
        raise DamagedRunError(f"{path}: not as it was sealed: not JSON ({error})") from None
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise DamagedRunError(f"{path}: not as it was sealed: it does not say its format")
    if manifest["format"] not in range(1, FORMAT + 1):
        known = f"this version reads 1 to {FORMAT}"
        raise RunError(f"{path}: unknown format {manifest['format']!r} ({known}): use the commit that wrote it")
    if manifest.get("sha256") != manifest_digest(manifest):
        raise DamagedRunError(f"{path}: not as it was sealed: its digest does not fit its content")
    return manifest


def _fault_of(path: Path, seal: Mapping[str, Any]) -> str | None:
    if not path.is_file():
        return f"{path.name} is missing"
    size = path.stat().st_size
    if size != seal["bytes"]:
        return f"{path.name} has {size} bytes instead of {seal['bytes']}"
    return f"{path.name} has other content" if sha256_of(path) != seal["sha256"] else None
