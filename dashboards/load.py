"""What was asked of the cluster, what it carried, and whether the generator can be believed."""

from dashboards.model import Board
from dashboards.overview import ORDERS, REQUESTS
from dashboards.panels import level, lines, rate, rate_of, saturation

BOARD = Board(
    "load",
    "Load",
    "Offered and achieved load, and the generator's own health.",
    (
        lines(
            "Achieved",
            "events/s",
            {
                "taken by HAProxy": rate_of("haproxy_frontend_http_requests_total", 'proxy="orders"'),
                "answered by gateways": REQUESTS,
                "sequenced by the engine": rate_of("engine_commands_total"),
            },
            "The same flow at three points of the path.",
            "Where a line leaves the others, orders are refused or held there.",
            width=12,
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
        ),
        level(
            "haproxy_frontend_current_sessions",
            "Closed loop: the users. Open loop: it grows when answers are late.",
            'proxy="orders"',
            title="Clients connected",
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
            width=12,
        ),
        lines(
            "Stolen by other machines",
            "share",
            {"stolen": rate_of("cluster_host_cpu_seconds_total", 'mode="steal"') + " / max(cluster_host_cores)"},
            "CPU time that the hypervisor gave to others.",
            "Above 2 % a run is invalid.",
            width=12,
        ),
    ),
)
