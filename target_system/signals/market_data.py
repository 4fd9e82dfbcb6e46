"""What the market data process says."""

from target_system.signals.kinds import COUNTER, GAUGE, HISTOGRAM, LATENCY_BUCKETS_S, LogEvent, Metric

_WHO = "market_data"

METRICS: tuple[Metric, ...] = (
    Metric("market_data_clients", GAUGE, "clients", _WHO, "open WebSockets"),
    Metric("market_data_clients_max", GAUGE, "clients", _WHO, "that may be open"),
    Metric("market_data_messages_sent_total", COUNTER, "messages", _WHO, "given to clients' connections"),
    Metric("market_data_dropped_clients_total", COUNTER, "clients", _WHO, "cut off because they did not keep up"),
    Metric("market_data_refused_clients_total", COUNTER, "clients", _WHO, "not let in", ("reason",)),
    Metric("market_data_queue_bytes", GAUGE, "bytes", _WHO, "waiting for the slowest client"),
    Metric("market_data_queue_max_bytes", GAUGE, "bytes", _WHO, "that may wait for a client"),
    Metric("market_data_updates_total", COUNTER, "updates", _WHO, "the engine's, taken into the books"),
    Metric("market_data_sequence", GAUGE, "commands", _WHO, "what the commands up to here changed is in the books"),
    Metric("market_data_staleness_seconds", GAUGE, "seconds", _WHO, "since the engine said anything"),
    Metric(
        "market_data_delay_seconds",
        HISTOGRAM,
        "seconds",
        _WHO,
        "a command's receipt by the gateway to the change of its book here",
        (),
        LATENCY_BUCKETS_S,
    ),
    Metric("market_data_engine_connected", GAUGE, "bool", _WHO, "1 while the engine's stream is open"),
    Metric("market_data_resyncs_total", COUNTER, "streams", _WHO, "the engine's streams begun, each with snapshots"),
    Metric(
        "market_data_gaps_total", COUNTER, "gaps", _WHO, "updates that did not follow the last; each leads to a resync"
    ),
    Metric("market_data_trades_published_total", COUNTER, "trades", _WHO, "added to the history's stream"),
    Metric(
        "market_data_trades_skipped_total",
        COUNTER,
        "trades",
        _WHO,
        "not added, Redis away or slow: they come from the ledger",
    ),
    Metric("market_data_trade_queue_depth_trades", GAUGE, "trades", _WHO, "waiting to be added"),
    Metric(
        "market_data_event_loop_lag_seconds", GAUGE, "seconds", _WHO, "worst lateness of a timer in the last second"
    ),
    Metric("market_data_log_lines_dropped_total", COUNTER, "lines", _WHO, "log lines lost, the writer not keeping up"),
)

LOG_EVENTS: tuple[LogEvent, ...] = (
    LogEvent("synchronised", _WHO, "snapshots of every book have come from the engine", ("sequence",)),
    LogEvent("feed_lost", _WHO, "the engine's stream ended", ("error",)),
    LogEvent("client_dropped", _WHO, "a client did not keep up", ("account", "waiting_bytes")),
)
