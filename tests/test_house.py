"""The house's rules as a test: who may import whom, no module that nobody uses, no undeclared command or signal.

`ROOMS` is the import table of docs/architecture.md. Each checker takes the root of a tree, so that a planted violation
can be shown to be found.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from target_system import signals
from target_system.signals.page import page

ROOT = Path(__file__).parent.parent

ROOMS: dict[str, tuple[str, ...]] = {
    "target_system": (),
    "deploy": ("target_system",),
    "loadgen": ("target_system", "deploy"),
    "dashboards": ("target_system", "deploy", "loadgen"),  # boards are verified under load, and drawn from a run
    "alerts": ("target_system", "deploy", "loadgen"),
    "analysis": (
        "loadgen.record",
        "loadgen.manifest",
        "loadgen.knee",
        "loadgen.popularity",
        "deploy.topology",
        "target_system.signals",
    ),
    "reports": ("analysis", "loadgen.record", "loadgen.manifest", "loadgen.layout", "deploy.console"),
    "lab": ("target_system", "deploy", "loadgen", "dashboards", "alerts", "analysis", "reports"),
}
"""Room → what it may import of the others. `deploy.console` is how every room's commands speak;
`loadgen.knee` is pure, and a search and its judgement are one rule; so is `loadgen.popularity`, and a load and what is
predicted of it."""

COMPONENTS: dict[str, tuple[str, ...]] = {
    "gateway": ("risk", "ledger"),
    "ledger": (),
    "risk": (),
    "market_data": ("ledger",),
    "history": ("ledger",),
}
"""Folder of target_system → which other folders it may import; the modules beside the folders are free to all."""

STANDARD_LIBRARY_ONLY = ("target_system/signals/", "target_system/orders.py", "deploy/bootstrap.py")
NETWORK = {"aiohttp", "asyncpg", "grpc", "httpx", "locust", "psycopg", "redis", "requests", "socket", "urllib"}


def sources(root: Path) -> Iterator[Path]:
    for room in ROOMS:
        folder = root / room
        yield from sorted(folder.rglob("*.py")) if folder.is_dir() else []
    if (root / "lab.py").exists():
        yield root / "lab.py"


def module_name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(root: Path, path: Path) -> Iterator[str]:
    """Every module that the file imports, `from a import b` as `a.b` as well (b may be a module)."""
    package = module_name(root, path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            whole = ".".join(part for part in (base, node.module or "") if part)
            yield from (f"{whole}.{alias.name}" for alias in node.names)


def is_within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def import_violations(root: Path) -> list[str]:
    found = []
    for path in sources(root):
        where = path.relative_to(root)
        room = where.parts[0].removesuffix(".py")
        for module in imports(root, path):
            top = module.split(".")[0]
            if top in ROOMS and top != room and not is_within(module, ROOMS[room]):
                found.append(f"{where} imports {module}; {room} may import only {ROOMS[room] or 'itself'}")
            if room == "analysis" and top in NETWORK:
                found.append(f"{where} imports {module}; analysis never touches the network")
            if top == "locust" and str(where) != "loadgen/users.py":
                found.append(f"{where} imports locust; only loadgen/users.py may")
            if str(where).startswith(STANDARD_LIBRARY_ONLY) and top not in sys.stdlib_module_names and top != room:
                found.append(f"{where} imports {module}; it keeps to the standard library")
            found += component_violations(where, module)
    return found


def component_violations(where: Path, module: str) -> list[str]:
    parts = module.split(".")
    if where.parts[0] != "target_system" or parts[0] != "target_system" or len(parts) < 2:
        return []
    mine, other = where.parts[1], parts[1]
    if mine in COMPONENTS and other in COMPONENTS and other != mine and other not in COMPONENTS[mine]:
        return [
            f"{where} imports {module}; the component {mine} may import only {COMPONENTS[mine] or 'shared modules'}"
        ]
    return []


def orphans(root: Path) -> list[str]:
    """Modules that nothing imports and nobody can start."""
    used = {name for path in sources(root) for name in imports(root, path)}
    texts = "\n".join(path.read_text() for path in sources(root))
    found = []
    for path in sources(root):
        name = module_name(root, path)
        started = (
            path.name in ("__init__.py", "__main__.py", "lab.py")
            or 'if __name__ == "__main__"' in path.read_text()
            or f'"{name}"' in texts
            or "alembic" in path.read_text()
            or "notebooks" in path.parts
        )
        if not started and not any(module == name or module.startswith(f"{name}.") for module in used):
            found.append(str(path.relative_to(root)))
    return found


METRIC_IN_TEXT = re.compile(r"\b(?:gateway|settler|market_data|history|engine|cluster|generator)_[a-z0-9_]+\b")
QUERY_FILES = ("alerts/**/*.yml", "dashboards/**/*.py", "analysis/**/*.py")


def undeclared_signals(root: Path, declared: set[str]) -> list[str]:
    """Names that look like the lab's own metrics, in a rule, a board or an analysis, and are not in the register.

    In Python only string literals count: a variable may be called as it likes.
    """
    found = []
    for pattern in QUERY_FILES:
        for path in sorted(root.glob(pattern)):
            for name in sorted(metric_names(path)):
                base = re.sub(r"_(bucket|count|sum)$", "", name)
                if name not in declared and base not in declared:
                    found.append(f"{path.relative_to(root)} names {name}; declare it in target_system/signals")
    return found


UNIT_ENDINGS = ("_total", "_seconds", "_bytes", "_bucket", "_count", "_sum", "_ratio", "_cores", "_info")


def metric_names(path: Path) -> set[str]:
    if path.suffix != ".py":
        texts = [path.read_text()]
    else:
        tree = ast.parse(path.read_text())
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return {name for text in texts for name in METRIC_IN_TEXT.findall(text) if name.endswith(UNIT_ENDINGS)}


def test_rooms_import_only_what_the_table_allows() -> None:
    assert import_violations(ROOT) == []


def test_every_module_is_used_or_can_be_started() -> None:
    assert orphans(ROOT) == []


def test_rules_boards_and_analyses_name_only_declared_signals() -> None:
    assert undeclared_signals(ROOT, set(signals.METRICS)) == []


def test_every_declared_metric_has_a_meaning_and_a_unit() -> None:
    assert [metric.name for metric in signals.METRICS.values() if not (metric.meaning and metric.unit)] == []


def test_the_labs_own_counters_and_only_they_end_in_total() -> None:
    own = [metric for metric in signals.METRICS.values() if metric not in signals.exporters.METRICS]
    misnamed = [m.name for m in own if (m.type is signals.MetricType.COUNTER) != m.name.endswith("_total")]
    assert misnamed == []


def test_every_command_is_in_the_command_reference_with_its_help() -> None:
    import lab
    from deploy.console import command_reference

    reference = (ROOT / "docs/reference/commands.md").read_text()
    assert command_reference(lab.app) == reference, "run: lab reference > docs/reference/commands.md"


def test_every_signal_is_on_its_reference_page_as_declared() -> None:
    reference = (ROOT / "docs/reference/signals.md").read_text()
    assert page() == reference, "run: python -m target_system.signals.page > docs/reference/signals.md"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("target_system/gateway/app.py", "import deploy.cluster\n", "target_system may import only itself"),
        ("analysis/demand.py", "from loadgen import run\n", "analysis may import only"),
        ("analysis/demand.py", "import httpx\n", "analysis never touches the network"),
        ("loadgen/run.py", "import locust\n", "only loadgen/users.py may"),
        ("loadgen/run.py", "from reports import report\n", "loadgen may import only"),
        ("target_system/orders.py", "import numpy\n", "keeps to the standard library"),
        ("target_system/ledger/path.py", "from target_system.gateway import app\n", "the component ledger"),
        ("target_system/ledger/path.py", "from ..gateway import app\n", "the component ledger"),
    ],
)
def test_a_planted_import_violation_is_found(tmp_path: Path, file: str, text: str, said: str) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(text)
    assert any(said in violation for violation in import_violations(tmp_path))


def test_a_planted_orphan_is_found(tmp_path: Path) -> None:
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis/forgotten.py").write_text("X = 1\n")
    (tmp_path / "analysis/used.py").write_text("Y = 1\n")
    (tmp_path / "lab.py").write_text("from analysis.used import Y\n")
    assert orphans(tmp_path) == ["analysis/forgotten.py"]


def test_a_planted_undeclared_signal_is_found(tmp_path: Path) -> None:
    (tmp_path / "alerts/rules").mkdir(parents=True)
    (tmp_path / "alerts/rules/X.yml").write_text("expr: rate(gateway_nonsense_total[1m]) > 1\n")
    assert undeclared_signals(tmp_path, {"gateway_requests_total"}) == [
        "alerts/rules/X.yml names gateway_nonsense_total; declare it in target_system/signals"
    ]
