"""Writing a run so that it is either sealed whole or not there.

Everything goes into `runs/.<id>.partial`, each file is synced, the manifest of hashes is written last, and only then is
the folder renamed to `runs/<id>`. Whatever goes wrong before (a full disk, an exception, Ctrl-C before a window is
whole) leaves nothing that could be taken for a run, and what a killed writer left behind, the next one removes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from loadgen.layout import FILES, FORMAT, MANIFEST, TABLES
from loadgen.manifest import manifest_digest, sha256_of

ROOM_BYTES = 64 * 1024**2
"""Less free space than this is refused before anything is measured."""


class RunNotWrittenError(Exception):
    """The run could not be recorded (the disk is full, the folder not writable): a failed check, no bad input."""


class RunWriter:
    """A run being recorded: `append` rows window by window, `write` the documents, then `seal`.

    Not thread-safe. Left without `seal`, the context removes what was written.
    """

    def __init__(self, runs: Path, run_id: str, prediction: str | None = None) -> None:
        """`prediction`: the hash of what was predicted of this run."""
        self.run_id = run_id
        self._prediction = prediction
        self.folder = runs / f".{run_id}.partial"
        self.scratch = self.folder / "scratch"
        """For what is needed until the seal and no longer, on the same disk."""
        self._sealed_as = runs / run_id
        self._tables: dict[str, pq.ParquetWriter] = {}
        with self._said_plainly():
            if self._sealed_as.exists():
                raise RunNotWrittenError(f"{self._sealed_as}: exists already; a sealed run is never written again")
            sweep(runs)
            self.folder.mkdir(parents=True)
            self._lock = os.open(self.folder, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self.scratch.mkdir()
            free = shutil.disk_usage(self.folder).free
            if free < ROOM_BYTES:
                self._discard()
                raise RunNotWrittenError(
                    f"{runs}: has {free / 1024**2:.0f} MiB free, a run needs {ROOM_BYTES / 1024**2:.0f}; make room"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.folder.exists():
            self._discard()
        os.close(self._lock)

    def append(self, table: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> None:
        """Adds rows to `<table>.parquet`, one row group a call; the columns must be those of `record.TABLES`."""
        schema = TABLES[table]
        if not isinstance(rows, pa.Table):
            rows = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
        with self._said_plainly():
            if table not in self._tables:
                path = self.folder / f"{table}.parquet"
                self._tables[table] = pq.ParquetWriter(path, schema, compression="zstd")
            if rows.num_rows:
                self._tables[table].write_table(rows.select(schema.names).cast(schema))

    def write(self, name: str, content: str | Mapping[str, Any]) -> None:
        """Writes a document, text as it is and anything else as JSON."""
        text = content if isinstance(content, str) else json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        with self._said_plainly():
            (self.folder / name).write_text(text)

    def seal(self, status: str) -> Path:
        """Closes the tables, writes the manifest and gives the folder its name. `status` is complete or aborted."""
        for table in TABLES:
            self.append(table, [])
        with self._said_plainly():
            for writer in self._tables.values():
                writer.close()
            shutil.rmtree(self.scratch)
            missing = FILES - {path.name for path in self.folder.iterdir()}
            if missing:
                raise ValueError(f"sealed without {', '.join(sorted(missing))}")
            for path in self.folder.iterdir():
                _sync(path)
            self._write_manifest(status)
            _sync(self.folder)
            self.folder.rename(self._sealed_as)
            _sync(self._sealed_as.parent)
        return self._sealed_as

    def _write_manifest(self, status: str) -> None:
        files = {
            path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size}
            for path in sorted(self.folder.iterdir())
        }
        manifest: dict[str, Any] = {"format": FORMAT, "run": self.run_id, "status": status, "files": files}
        if self._prediction is not None:
            manifest["prediction"] = self._prediction
        manifest["sha256"] = manifest_digest(manifest)
        path = self.folder / MANIFEST
        path.write_text(json.dumps(manifest, indent=1) + "\n")
        _sync(path)

    def _discard(self) -> None:
        for writer in self._tables.values():
            with contextlib.suppress(OSError):
                writer.close()
        shutil.rmtree(self.folder)

    @contextlib.contextmanager
    def _said_plainly(self) -> Iterator[None]:
        """An operating system's refusal to write becomes one sentence."""
        try:
            yield
        except OSError as error:
            runs = self.folder.parent
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                advice = f"the disk is full; make room (`df -h {runs}`) and run the campaign again"
            else:
                advice = f"cannot be written: {error.strerror or error}"
            raise RunNotWrittenError(f"{runs}: {advice}. Nothing was sealed") from error


def sweep(runs: Path) -> None:
    """Removes the unfinished runs of writers that live no more: a living one holds the lock on its folder."""
    for folder in runs.glob(".*.partial"):
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
