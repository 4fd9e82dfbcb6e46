"""What was asked of the cluster, what it carried, and whether the generator can be believed."""

from dashboards.model import Board
from dashboards.overview import REQUESTS
from dashboards.panels import PROMISED, level, lines, rate, rate_of, saturation
from target_system.slo import ORDERS

BOARD = Board(
    "load",
    "Load",
    "Offered and achieved load, and the generator's own health.",
    (
        lines(
            "Offered and achieved",
            "events/s",
            {
                "due": rate_of("generator_offered_total"),
                "sent": rate_of("generator_sent_total"),
                "answered ok": rate_of("generator_ended_total", 'outcome="ok"'),
                "taken by HAProxy": rate_of("haproxy_frontend_http_requests_total", 'proxy="orders"'),
                "answered by gateways": REQUESTS,
                "sequenced by the engine": rate_of("engine_commands_total"),
            },
            "The same flow from the client's plan to the engine.",
            "Where a line leaves the others, orders are unsent, refused or held there.",
            width=12,
        ),
        lines(
            "Latency at the client",
            "seconds",
            {"quantile {{quantile}}": "max by (quantile) (generator_latency_seconds)"},
            "Of ok answers in the last second, from the intended send time.",
            "Far above the gateway's own latency: orders wait before the gateway, or the generator is late.",
            thresholds=PROMISED,
            width=12,
        ),
        lines(
            "How late the generator is",
            "seconds",
            {
                "schedule error p99": "max(generator_schedule_error_p99_seconds)",
                "wake-up lag p99": "max(generator_wake_lag_p99_seconds)",
                "oldest that is due": "max(generator_lag_seconds)",
            },
            "By its own fault (error, lag), and for how long the oldest due request has waited.",
            "An error above 1 ms, or 5 % of the latency, makes the run invalid: give the generator more CPU.",
        ),
        rate(
            "generator_ended_total",
            "Everything but ok: unsent is the generator's or the cap's, the rest is the cluster's.",
            by="outcome",
            title="How requests ended",
        ),
        level(
            "generator_in_flight",
            "Open loop: it grows when answers are late. At in_flight_max requests stay unsent.",
            title="Without an answer",
        ),
        rate(
            "gateway_request_seconds",
            "The mix is 60 adds, 25 cancels, 15 takers; reads come on top.",
            ORDERS,
            "endpoint",
            title="By endpoint",
            unit="requests/s",
            width=12,
        ),
        saturation(
            "Red: the generator was the limit, the figures say nothing of the system.",
            'component="generator"',
            title="How full is the generator",
            width=12,
        ),
        lines(
            "Turned away or failed",
            "events/s",
            {
                "throttled (429)": rate_of("haproxy_frontend_requests_denied_total", 'proxy="orders"'),
                "4xx": rate_of("haproxy_backend_http_responses_total", 'proxy="gateways",code="4xx"'),
                "5xx": rate_of("haproxy_backend_http_responses_total", 'proxy="gateways",code="5xx"'),
            },
            "What clients got that was no answer to their order.",
            "429: the throttle of the topology. 5xx: see the board Order path. 4xx: the load itself is wrong.",
        ),
        lines(
            "Stolen by other machines",
            "share",
            {"stolen": rate_of("cluster_host_cpu_seconds_total", 'mode="steal"') + " / max(cluster_host_cores)"},
            "CPU time that the hypervisor gave to others.",
            "Above 2 % a run is invalid.",
        ),
        lines(
            "Telemetry lost",
            "events/s",
            {
                "spans": rate_of("gateway_spans_dropped_total"),
                "log lines of gateways": rate_of("gateway_log_lines_dropped_total"),
            },
            "Dropped so that no order waits for it.",
            "Spans: the collector is away or slow. Lines: the gateway's log cannot be written.",
        ),
    ),
)
