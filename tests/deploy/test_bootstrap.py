"""The installation: what it finds missing, what it says, and that it leaves the machine's own things as they were."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from deploy import bootstrap
from deploy.install import debian, engine, environment, machine, part, tools
from deploy.install.part import Check, InstallError, MissingError, Part
from deploy.local.cpu_groups import NoGroups


def a_part(found: list[bool], needed: bool = True, fails: InstallError | None = None) -> Part:
    """A part whose check gives the next of `found` at each call."""

    def install() -> None:
        if fails:
            raise fails

    return Part(lambda: Check("thing", found.pop(0), "state", needed=needed), install)


# What is missing, and the line that installs it


def test_every_missing_package_is_named_in_one_line_that_installs_it() -> None:
    line = debian.the_line(["haproxy", "redis-server"])
    assert line == f"sudo make -C {part.ROOT} packages  # apt-get install --no-install-recommends haproxy redis-server"


def test_only_absent_packages_are_missing() -> None:
    assert debian.missing(set(debian.ALL) - {"haproxy", "cmake"}) == ["cmake", "haproxy"]


def test_on_a_machine_without_any_package_the_check_names_each_and_exits_with_3(tmp_path: Path) -> None:
    (tmp_path / "dpkg-query").write_text("#!/bin/sh\necho base-files installed\necho haproxy config-files\n")
    (tmp_path / "dpkg-query").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-S", "-m", "deploy.bootstrap", "--check"],  # -S: nor any Python package
        cwd=part.ROOT, env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert [line.strip() for line in done.stderr.splitlines() if "apt-get" in line] == [debian.the_line([*debian.ALL])]


def test_without_root_or_sudo_the_installation_exits_with_3_and_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(debian, "installed", lambda: set(debian.ALL) - {"chromium"})
    monkeypatch.setattr(debian, "may_sudo", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert bootstrap.main([]) == 3
    assert debian.the_line(["chromium"]) in capsys.readouterr().err


# The machine's services


def test_starts_are_denied_inside_and_nothing_is_left_after(tmp_path: Path) -> None:
    policy = tmp_path / "usr/sbin/policy-rc.d"
    with debian.services_held(tmp_path) as denied:
        assert denied
        assert subprocess.run([policy], check=False).returncode == 101
        assert [path.read_text() for path in tmp_path.rglob("*.conf")] == [debian.NO_MAIN_CLUSTER]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_nothing_is_left_after_a_failed_installation_either(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="broke"), debian.services_held(tmp_path):
        raise InstallError("broke")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_policy_that_was_there_stays_byte_for_byte(tmp_path: Path) -> None:
    policy = tmp_path / "usr/sbin/policy-rc.d"
    policy.parent.mkdir(parents=True)
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o700)
    with debian.services_held(tmp_path) as denied:
        assert not denied
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert (policy.read_text(), policy.stat().st_mode & 0o777) == ("#!/bin/sh\nexit 0\n", 0o700)


def test_a_policy_that_a_killed_installation_left_is_removed(tmp_path: Path) -> None:
    policy = tmp_path / "usr/sbin/policy-rc.d"
    policy.parent.mkdir(parents=True)
    policy.write_text(debian.DENY_STARTS)
    with debian.services_held(tmp_path) as denied:
        assert denied
    assert not policy.exists()


@pytest.mark.parametrize("own_policy", [False, True])
def test_what_a_half_failed_installation_brought_in_is_kept_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_policy: bool
) -> None:
    present = {"base-files"}
    kept_down: list[tuple[str, bool]] = []

    def run(command: list[str], *_: object) -> None:
        if "install" in command:
            present.update({"redis-server", "redis-tools"})
            raise InstallError("haproxy cannot be had")

    if own_policy:
        (tmp_path / "usr/sbin").mkdir(parents=True)
        (tmp_path / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 0\n")
    monkeypatch.setattr(debian, "run", run)
    monkeypatch.setattr(debian, "installed", lambda: set(present))
    monkeypatch.setattr(debian, "keep_down", lambda package, stop: kept_down.append((package, stop)))
    with pytest.raises(InstallError, match="haproxy cannot be had"):
        debian.install_as_root(["redis-server", "haproxy"], tmp_path)
    assert kept_down == [("redis-server", own_policy), ("redis-tools", own_policy)]
    assert (tmp_path / "usr/sbin/policy-rc.d").exists() == own_policy


def test_units_and_init_scripts_are_found_among_a_packages_files() -> None:
    listing = (
        "/.\n/etc/init.d\n/etc/init.d/redis-server\n/lib/systemd/system/redis-server.service\n"
        "/lib/systemd/system/redis-server@.service\n/usr/lib/systemd/system/x.timer\n/usr/share/doc/x.service\n"
    )
    assert debian.services(listing) == (["redis-server.service", "x.timer"], ["redis-server"])


# Parts, stamps and keys


def test_what_is_there_is_not_installed_again() -> None:
    bootstrap.step(a_part([True], fails=InstallError("must not be called")), "[1/1]")


def test_the_lab_goes_without_an_optional_part_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    bootstrap.step(a_part([False], needed=False, fails=InstallError("no Go")), "[1/1]")
    assert "thing: goes without it. no Go" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(InstallError("broken"), 1), (MissingError("needs root"), 3)])
def test_the_exit_code_tells_a_failure_from_a_lack(
    monkeypatch: pytest.MonkeyPatch, error: InstallError, code: int
) -> None:
    monkeypatch.setattr(bootstrap, "PARTS", (a_part([False], fails=error),))
    assert bootstrap.install() == code


def test_a_part_that_is_still_wanting_after_its_installation_is_a_failure() -> None:
    with pytest.raises(InstallError, match="still wanting"):
        bootstrap.step(a_part([False, False]), "[1/1]")


def test_a_stamp_holds_for_its_value_alone(tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    assert not part.holds(stamp, "a")
    stamp.write_text("a")
    assert part.holds(stamp, "a")
    assert not part.holds(stamp, "b")


def test_a_key_changes_with_content_name_and_words_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "ROOT", tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("int a;")
    two.write_text("int b;")
    key = part.digest([one, two])
    assert part.digest([two, one]) == key
    keys = {key, part.digest([one]), part.digest([one, two], "-O3")}
    two.write_text("int c;")
    keys.add(part.digest([one, two]))
    two.rename(tmp_path / "three")
    keys.add(part.digest([one, tmp_path / "three"]))
    assert len(keys) == 5


def test_of_old_builds_the_newest_are_kept(tmp_path: Path) -> None:
    for age in range(4):
        (tmp_path / f"build-{age}").mkdir()
        os.utime(tmp_path / f"build-{age}", (1000 - age, 1000 - age))
    part.keep_newest(tmp_path.iterdir(), 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build-0", "build-1"]


def test_a_failing_command_is_told_with_what_it_printed_last() -> None:
    with pytest.raises(InstallError, match=r"(?s)measuring failed \(exit 7\): sh -c .*the reason"):
        part.run(["sh", "-c", "echo the reason >&2; exit 7"], "measuring")


def test_when_stopped_it_ends_only_after_the_command_that_it_runs(tmp_path: Path) -> None:
    script = "trap 'echo cleaned > ended; exit 1' INT; touch begun; while :; do sleep 0.1; done"
    program = f"from deploy.install.part import run; run(['sh', '-c', {script!r}], 'working', cwd={str(tmp_path)!r})"
    with subprocess.Popen([sys.executable, "-c", program], cwd=part.ROOT, stderr=subprocess.PIPE) as stopped:
        give_up_at = time.monotonic() + 20
        while not (tmp_path / "begun").exists() and time.monotonic() < give_up_at:
            time.sleep(0.02)
        stopped.send_signal(signal.SIGINT)
        stopped.communicate(timeout=20)
        assert (tmp_path / "ended").read_text() == "cleaned\n"


# The locked environment and the tools


def test_the_lock_names_no_registry_and_holds_every_dependency() -> None:
    lock = environment.LOCK.read_text()
    project = tomllib.loads(environment.PROJECT.read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = [re.split(r"[\[>=<~! ]", requirement)[0].lower().replace("_", "-") for requirement in wanted]
    assert "://" not in lock
    assert [name for name in names if not re.search(rf"^{re.escape(name)}(\[.*\])?==", lock, re.MULTILINE)] == []


def test_the_pinned_installer_is_taken_from_the_lock_with_its_hashes() -> None:
    lock = "a==1 \\\n    --hash=sha256:aa\nuv==2.0 ; x == 'y' \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\nz==3\n"
    found = environment.locked_requirement("uv", lock)
    assert found == "uv==2.0 ; x == 'y' \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    with pytest.raises(InstallError, match="make lock"):
        environment.locked_requirement("absent", lock)


def test_the_registry_of_pips_configuration_is_passed_on_and_its_environment_wins() -> None:
    listing = (
        "global.cert='/etc/ca.crt'\nglobal.index-url='https://one/simple'\n"
        ":env:.index-url='https://two/simple'\n:env:.default-timeout='180'\n"
    )
    assert environment.registry_from_pip(listing) == {
        "UV_DEFAULT_INDEX": "https://two/simple",
        "SSL_CERT_FILE": "/etc/ca.crt",
    }


@pytest.mark.parametrize(
    ("version", "recent"),
    [
        ("go version go1.19.8 linux/amd64", False),
        ("go version go1.26.4 linux/amd64", False),
        ("go version go1.26.5 linux/amd64", True),
        ("go version go1.27 linux/amd64", True),
        ("go version go2.0rc1 linux/amd64", True),
        ("", False),
    ],
)
def test_a_go_is_taken_only_when_it_can_build_the_modules(version: str, recent: bool) -> None:
    assert tools.is_recent_go(version) == recent


@pytest.mark.parametrize("wanted", tools.TOOLS.values(), ids=lambda wanted: wanted.name)
def test_the_version_that_a_tool_tells_is_the_one_its_module_pins(wanted: tools.Tool) -> None:
    module = (tools.SOURCES / wanted.name / "go.mod").read_text()
    assert f" v{wanted.version}" in module
    assert f"\ngo {'.'.join(map(str, tools.GO_AT_LEAST))}\n" in module


# The machine


def test_quotas_that_cannot_be_applied_are_said_with_what_to_do_and_are_not_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "discover", lambda name: NoGroups(f"not applied: {name.split('-')[0]}"))
    check = machine.quotas()
    assert (check.ok, check.needed, check.found) == (False, False, "not applied: doctor")
    assert "run as root" in check.to_do


def test_looking_for_quotas_leaves_no_group_behind() -> None:
    machine.quotas()
    groups = [folder for folder, _, _ in os.walk("/sys/fs/cgroup")]  # others go meanwhile, which rglob does not bear
    assert [group for group in groups if f"doctor-{os.getpid()}" in group] == []


# The engine


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose engine is one generated file, and a cache of its own."""
    sources = tmp_path / "checkout" / "engine"
    sources.mkdir(parents=True)
    (sources / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(engine LANGUAGES NONE)\n"
        "add_custom_target(made ALL COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/source engine)\n"
    )
    (sources / "source").write_text("one")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(part, "ROOT", tmp_path / "checkout")
    monkeypatch.setattr(engine, "SOURCES", sources)
    monkeypatch.setattr(engine, "PROTOS", sources)
    return sources


def test_the_engine_is_built_outside_the_tree_once_for_its_sources(clone: Path) -> None:
    assert not engine.check().ok
    engine.build()
    assert engine.check().ok
    assert (engine.engine_dir() / "engine").read_text() == "one"
    assert sorted(path.name for path in clone.iterdir()) == ["CMakeLists.txt", "source"]
    built_at = (engine.engine_dir() / "engine").stat().st_mtime_ns
    engine.build()
    assert (engine.engine_dir() / "engine").stat().st_mtime_ns == built_at


def test_an_edited_source_is_a_build_of_its_own_and_the_old_one_stays(clone: Path) -> None:
    engine.build()
    first = engine.engine_dir()
    (clone / "source").write_text("two")
    assert not engine.check().ok
    engine.build()
    assert [(path / "engine").read_text() for path in (first, engine.engine_dir())] == ["one", "two"]


def test_a_build_that_failed_is_not_taken_for_one(clone: Path) -> None:
    (clone / "source").unlink()
    with pytest.raises(InstallError, match="building the engine failed"):
        engine.build()
    assert not engine.check().ok


def test_sources_that_change_under_the_compiler_are_not_taken_for_built(clone: Path) -> None:
    edit = "ALL COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_SOURCE_DIR}/another COMMAND"
    lists = clone / "CMakeLists.txt"
    lists.write_text(lists.read_text().replace("ALL COMMAND", edit))
    with pytest.raises(InstallError, match="changed while they were compiled"):
        engine.build()
    assert not engine.check().ok
