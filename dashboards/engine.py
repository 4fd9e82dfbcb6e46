"""The matching engine: its queue, its book thread, and the journal's sync that every result waits for."""

from dashboards.model import Board, Kind
from dashboards.panels import FULL, latency, lines, mean, rate, rate_of, saturation

BOARD = Board(
    "engine",
    "Engine",
    "From a command's arrival to the sync of its journal record.",
    (
        lines(
            "Commands",
            "commands/s",
            {"{{kind}} {{outcome}}": rate_of("engine_commands_total", by="kind, outcome")},
            "Sequenced, by kind and outcome.",
            "It follows the load; a stop while orders wait is a frozen engine.",
            kind=Kind.STACK,
        ),
        lines(
            "Refusals",
            "commands/s",
            {
                "{{reason}}": rate_of("engine_rejects_total", by="reason") + " or on() vector(0)",
                "repeats": rate_of("engine_repeats_total"),
            },
            "Rejected by the book, and commands answered with their first result.",
            "Unknown orders are cancels that came too late. Repeats after a fault are clients doing right.",
        ),
        rate("engine_trades_total", "Nothing to mend: it says how busy the market is.", title="Trades"),
        latency(
            "engine_queue_wait_seconds", "The book thread is late: full, or out of quota.", title="Wait before matching"
        ),
        latency(
            "engine_match_duration_seconds",
            "It grows with the depth that one order crosses.",
            title="Matching one command",
        ),
        latency(
            "engine_sync_duration_seconds",
            "The journal's disk: compare with the board Host.",
            title="A sync of the journal",
        ),
        mean(
            "engine_sync_batch_records",
            "It grows with load: that is group commit. 1 under load: senders wait for each result.",
            title="Records in one sync",
        ),
        lines(
            "Queue",
            "share",
            {"waiting of what may wait": "engine_queue_depth_commands / engine_queue_capacity_commands"},
            "How full the queue before the book thread is.",
            "Full, it refuses: slow the senders, or give the engine more CPU.",
            thresholds=FULL,
            max=1.0,
        ),
        lines(
            "Room",
            "share",
            {
                "resting orders": "engine_resting_orders / engine_resting_orders_max",
                "client order ids": "engine_ids / engine_ids_max",
            },
            "How full the fixed memory of books and identities is.",
            "At 1 new orders are refused: start the engine with larger limits.",
            thresholds=FULL,
            max=1.0,
        ),
        lines(
            "Matched but not yet on disk",
            "commands",
            {"unsynced": "engine_sequence - engine_synced_sequence"},
            "Commands whose results wait for a sync.",
            "It stays at some hundred at most; growing means that syncs do not keep up.",
        ),
        lines(
            "CPU of its threads",
            "cores",
            {"{{thread}}": rate_of("engine_thread_cpu_seconds_total", by="thread")},
            "book matches, sync writes the journal, all is the process.",
            "book near 1 core is the ceiling of one sequence.",
            thresholds=FULL,
        ),
        saturation("Red: raise engine.cpu_cores.", 'component="engine"', title="How full is the engine"),
    ),
)
