"""What the history says."""

from target_system.signals.kinds import COUNTER, GAUGE, HISTOGRAM, LATENCY_BUCKETS_S, LogEvent, Metric

_WHO = "history"

METRICS: tuple[Metric, ...] = (
    Metric("history_lag_entries", GAUGE, "entries", _WHO, "of the stream, not written and acknowledged yet"),
    Metric("history_lag_seconds", GAUGE, "seconds", _WHO, "age of the oldest of them"),
    Metric("history_trades_total", COUNTER, "trades", _WHO, "written, each once", ("source",)),
    Metric("history_repeated_trades_total", COUNTER, "trades", _WHO, "that came again and were already written"),
    Metric("history_gaps_total", COUNTER, "gaps", _WHO, "runs of trades that the stream skipped"),
    Metric("history_reclaimed_entries_total", COUNTER, "entries", _WHO, "taken over: read before, never acknowledged"),
    Metric("history_complete_trade_id", GAUGE, "trades", _WHO, "every trade up to this one is written"),
    Metric("history_last_trade_id", GAUGE, "trades", _WHO, "the highest written"),
    Metric("history_server_up", GAUGE, "bool", _WHO, "1 while the last call to this server succeeded", ("server",)),
    Metric(
        "history_write_seconds",
        HISTOGRAM,
        "seconds",
        _WHO,
        "one batch: trades and candles, to the commit",
        (),
        LATENCY_BUCKETS_S,
    ),
    Metric("history_log_lines_dropped_total", COUNTER, "lines", _WHO, "log lines lost, the writer not keeping up"),
)

LOG_EVENTS: tuple[LogEvent, ...] = (
    LogEvent(
        "gap_filled", _WHO, "trades that the stream did not bring came from the ledger", ("first", "last", "count")
    ),
    LogEvent("reclaimed", _WHO, "entries that were read before and never acknowledged", ("count",)),
)
