"""What the machine's cores did, where the lab may use only some of them."""

from pathlib import Path

import pytest

from deploy.local.host_cpu import HostCpu, host_cpu

STAT = """\
cpu  1111 0 0 2222 0 0 0 0 0 0
cpu0 1 2 4 100 200 8 16 32 64 128
cpu1 1000 0 0 1000 0 0 0 0 0 0
cpu12 10 20 40 1000 2000 80 160 320 640 1280
intr 12 0 3
ctxt 7
"""


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        ({0}, HostCpu(31, 300, 32, 24)),
        ({0, 12}, HostCpu(341, 3300, 352, 264)),
        ({0, 13}, HostCpu(1111, 2222, 0, 0)),  # the file counts cores its own way
    ],
)
def test_only_the_cores_that_are_the_labs_own_are_counted(tmp_path: Path, cores: set[int], expected: HostCpu) -> None:
    stat = tmp_path / "stat"
    stat.write_text(STAT)
    assert host_cpu(stat, cores) == expected


def test_two_readings_have_a_difference_and_a_middle() -> None:
    earlier, later = HostCpu(100, 50, 10, 4), HostCpu(300, 90, 10, 8)
    assert later - earlier == HostCpu(200, 40, 0, 4)
    assert earlier.halfway(later) == HostCpu(200, 70, 10, 6)
