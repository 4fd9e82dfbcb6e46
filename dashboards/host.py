"""The machine under all of it, and what each part takes of it."""

from dashboards.model import Board, Colour, Kind, Threshold, Variable
from dashboards.panels import FULL, level, lines, per_event, rate_of, saturation

SWITCHES = "namedprocess_namegroup_context_switches_total"
STOPPED = "cluster_cpu_throttled_seconds_total"
HERE = 'component=~"$component"'

BOARD = Board(
    "host",
    "Host",
    "CPU, memory, disk and pressure of the machine, by component.",
    (
        lines(
            "CPU by component",
            "cores",
            {"{{component}}": rate_of("cluster_cpu_seconds_total", HERE, "component")},
            "CPU that the lab's parts used, what only watches included.",
            "If the sum nears the cores, the host is the limit.",
            kind=Kind.STACK,
            width=12,
        ),
        lines(
            "Cores of the machine",
            "cores",
            {"{{mode}}": rate_of("cluster_host_cpu_seconds_total", by="mode")},
            "Busy, idle and stolen, everything on this machine included.",
            "Stolen above 2 %: another machine's load; the run is invalid.",
            kind=Kind.STACK,
            width=12,
        ),
        saturation(
            "The first red row is the likely limit.",
            f'{HERE},instance!~".*exporter.*"',
            title="How full is each part",
            height=11,
        ),
        lines(
            "Stopped by the quota",
            "share",
            {"{{instance}}": f"rate({STOPPED}{{{HERE}}}[$__rate_interval]) or on() vector(0)"},
            "Seconds stopped in each second.",
            "Raise the quota of the topology, or take it for the limit that it is.",
            height=11,
        ),
        lines(
            "Tasks waiting for",
            "share",
            {
                "a core": "max(rate(node_pressure_cpu_waiting_seconds_total[$__rate_interval]))",
                "a disk": "max(rate(node_pressure_io_waiting_seconds_total[$__rate_interval]))",
                "memory": "max(rate(node_pressure_memory_waiting_seconds_total[$__rate_interval]))",
            },
            "Pressure (PSI): share of time in which some task waited.",
            "A core: too much runs here. A disk: compare its latency.",
            thresholds=FULL,
            max=1.0,
            height=11,
        ),
        lines(
            "Memory by component",
            "bytes",
            {"{{component}}": f"sum by (component) (cluster_memory_bytes{{{HERE}}})"},
            "Resident, what is shared counted once.",
            "A line that only rises is a leak.",
            kind=Kind.STACK,
        ),
        level(
            "node_memory_MemAvailable_bytes", "Near zero the kernel kills the largest part.", title="Memory available"
        ),
        lines(
            "Restarts",
            "restarts",
            {"{{instance}}": f"sum by (instance) (cluster_restarts_total{{{HERE}}}) > 0 or on() vector(0)"},
            "Since the part's first start.",
            "Read the end of its log: lab status, or the run's events.",
        ),
        lines(
            "A write to the disk takes",
            "seconds",
            {
                "{{device}}": per_event(
                    "node_disk_write_time_seconds_total", "node_disk_writes_completed_total", by="device"
                )
            },
            "Mean of completed writes.",
            "Syncs of journal and WAL wait for these.",
        ),
        lines(
            "Disk busy",
            "share",
            {"{{device}}": rate_of("node_disk_io_time_seconds_total", by="device")},
            "Share of time with a request under way.",
            "Busy and slow: who else writes here?",
            max=1.0,
            thresholds=FULL,
        ),
        lines(
            "Disk space",
            "bytes",
            {"{{mountpoint}}": "min by (mountpoint) (node_filesystem_avail_bytes)"},
            "Free.",
            "The journal stops the engine when none is left.",
            thresholds=(Threshold(0, Colour.BAD), Threshold(2e9, Colour.GOOD)),
        ),
        lines(
            "Context switches",
            "switches/s",
            {"{{component}}": f"sum by (component) (rate({SWITCHES}{{{HERE}}}[30s]))"},
            "Voluntary or not; read every 5 s.",
            "Many for few orders: work is handed around in small pieces.",
            kind=Kind.STACK,
        ),
    ),
    (Variable("component", "Component", "cluster_up", "component"),),
)
