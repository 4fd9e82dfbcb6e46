"""The way of an order through proxy and gateways: rate, errors, latency and queues of each hop."""

from dashboards.model import Board, Variable
from dashboards.panels import PROMISED, heatmap, latency, level, lines, logs, mean_of, rate, rate_of, saturation
from target_system.slo import ORDERS

HERE = 'instance=~"$instance"'

BOARD = Board(
    "order_path",
    "Order path",
    "Rate, errors, latency and saturation of each hop between the client and its answer.",
    (
        rate(
            "gateway_request_seconds",
            "Everything but ok and rejected is a failure: the log panel has the lines.",
            f"{HERE},{ORDERS}",
            "outcome",
            title="Orders and cancels by outcome",
            unit="requests/s",
        ),
        lines(
            "Answers of HAProxy's servers by code",
            "events/s",
            {
                "{{code}}": rate_of("haproxy_server_http_responses_total", 'proxy="gateways"', "code"),
                "tried again": rate_of("haproxy_backend_retry_warnings_total", 'proxy="gateways"'),
            },
            "What clients were told, and tries that HAProxy repeated at another gateway.",
            "5xx: a gateway had no answer in time; tried again: a gateway refused or died.",
        ),
        latency(
            "gateway_request_seconds",
            "Compare the hops below; the heatmap tells one slow mode from a long tail.",
            f"{HERE},{ORDERS}",
            thresholds=PROMISED,
            title="Latency in the gateway",
        ),
        heatmap(
            "gateway_request_seconds",
            "Two bands are two kinds of orders, or of gateways: choose an instance.",
            f"{HERE},{ORDERS}",
            title="Latency, how often",
            width=12,
        ),
        latency(
            "gateway_stage_seconds",
            "The highest line is the hop to open: engine, Postgres (ledger) or Redis (publish).",
            HERE,
            "stage",
            title="p99 of each hop",
            thresholds=PROMISED,
            width=12,
        ),
        level(
            "gateway_orders_in_flight",
            "One gateway alone high: it is slow or frozen. All: what they share is.",
            HERE,
            title="Orders in flight",
        ),
        level(
            "gateway_event_loop_lag_seconds",
            "Above some 10 ms the gateway itself is full: add one, or give it more CPU.",
            HERE,
            title="Event loop lag",
        ),
        lines(
            "Batches",
            "commands",
            {
                "to the engine": mean_of("gateway_engine_batch_commands", HERE),
                "to Redis": mean_of("gateway_projection_batch_commands", HERE),
            },
            "Mean commands a message: what waits in one turn of the loop goes together.",
            "They grow with load; that is how the path saves CPU, nothing to mend.",
        ),
        saturation(
            "A red row is the limit. Give gateways more CPU, or more of them.",
            f'component="gateway",{HERE}',
            title="How full is each gateway",
        ),
        lines(
            "Streams and connections",
            "connections",
            {
                "engine, {{instance}}": f"gateway_engine_connected{{{HERE}}}",
                "ledger busy, {{instance}}": f'sum by (instance) (gateway_ledger_connections{{{HERE},state="busy"}})',
            },
            "The stream to the engine (1 while it is up), ledger connections in use.",
            "A stream at 0: the engine is away. All ledger connections busy: see the board Postgres.",
        ),
        lines(
            "HAProxy",
            "percent",
            {"busy": "100 - max(haproxy_process_idle_time_percent)"},
            "The share of its loop that HAProxy works.",
            "Near 100 the proxy is the limit: give it a thread or more CPU.",
            max=100.0,
        ),
        logs(
            "Log lines of one trace",
            ("gateway", "engine", "settler", "haproxy"),
            "Every component's lines with this trace id; .+ for any.",
            "Copy a trace id from a line into the field above.",
            of_trace=True,
        ),
    ),
    (
        Variable("instance", "Gateway", "gateway_event_loop_lag_seconds", "instance"),
        Variable("trace_id", "Trace id"),
    ),
)
