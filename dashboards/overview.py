"""Where the time of an order goes, which part is full, which is silent: who looks here can name the component."""

from dashboards.model import Board, Colour, Kind, Query, Threshold
from dashboards.panels import (
    ANSWERING,
    FULL,
    HOST_FULLNESS,
    PROMISED,
    coloured,
    fullness,
    lines,
    mean_of,
    quantile,
    rate_of,
    saturation,
    stat,
    waits,
    with_host,
)
from target_system.slo import AVAILABILITY, BAD, LATENCY, ORDERS

PATH = 'component=~"haproxy|gateway|engine|ledger|redis|settler|market-data|history"'
FILLED = PATH.replace("settler", "settler|generator")
REQUESTS = rate_of("gateway_request_seconds", ORDERS)
ANSWERS = f'min by (component, instance) ({{__name__=~"up|pg_up|redis_up|cluster_up",{PATH}}})'
FAILED = f"({rate_of('gateway_request_seconds', BAD)} or on() vector(0)) / {REQUESTS}"


def stage(name: str) -> str:
    """Of the mean order's time, what it spends in this stage."""
    return f'sum(rate(gateway_stage_seconds_sum{{stage="{name}"}}[$__rate_interval])) / {REQUESTS}'


GATEWAYS_OWN = (
    f"clamp_min((sum(rate(gateway_request_seconds_sum{{{ORDERS}}}[$__rate_interval]))"
    f" - sum(rate(gateway_stage_seconds_sum[$__rate_interval]))) / {REQUESTS}, 0)"
)
IN_GATEWAYS = mean_of("gateway_request_seconds", ORDERS)
AT_HAPROXY = 'haproxy_backend_response_time_average_seconds{proxy="gateways"}'
BEFORE = f"clamp_min({AT_HAPROXY} - scalar({IN_GATEWAYS}), 0)"
HOST = f'label_replace({HOST_FULLNESS}, "instance", "the host", "", "")'
STAGES = "sum by (stage) (rate(gateway_stage_seconds_sum[$__rate_interval]))"

TIME_OF_AN_ORDER = coloured(
    lines(
        "Where the time of an order goes",
        "seconds",
        {
            "before the gateway": BEFORE,
            "gateway, own turn": GATEWAYS_OWN,
            "gateway, validate": stage("validate"),
            "engine": stage("engine"),
            "Postgres": stage("ledger"),
            "Redis": stage("publish"),
        },
        "Mean time of an order or cancel, by what it was doing; a gap: no order ended.",
        "Open the board of the widest band. If a gateway is full, every stage also holds the wait for its turn.",
        kind=Kind.STACK,
        width=12,
        height=9,
    ),
    **{
        "before the gateway": Colour.HAPROXY,
        "gateway, own turn": Colour.LOOP,
        "gateway, validate": Colour.GATEWAY,
        "engine": Colour.ENGINE,
        "Postgres": Colour.LEDGER,
        "Redis": Colour.REDIS,
    },
)

BOARD = Board(
    "overview",
    "Overview",
    "Where the time of an order goes at a glance, and which component to look at next.",
    (
        stat(
            "Answered",
            "requests/s",
            Query(REQUESTS),
            "Orders and cancels, by all gateways.",
            "If it fell: look at silent parts first, then at the fullest.",
        ),
        stat(
            "p99",
            "seconds",
            Query(quantile("gateway_request_seconds", 0.99, ORDERS)),
            f"In the gateway. Promised: {LATENCY.objective:.0%} {LATENCY.promise}.",
            "Find the widest band below.",
            thresholds=PROMISED,
        ),
        stat(
            "Failed",
            "share",
            Query(FAILED),
            "Answered by an error of the cluster, of all orders and cancels.",
            "The board Order path says with which error.",
            thresholds=(Threshold(0, Colour.GOOD), Threshold(AVAILABILITY.budget, Colour.BAD)),
        ),
        stat(
            "Longest stage",
            "seconds",
            Query(f"topk(1, {STAGES} / ignoring(stage) group_left() {REQUESTS})", "{{stage}}"),
            "The stage in which the mean order spends most; ledger is Postgres, publish is Redis.",
            "Compare with how full that component is: waiting without work is a lock, a disk or a frozen part.",
        ),
        stat(
            "Fullest part",
            "share",
            Query(f"topk(1, {fullness(FILLED)} or {HOST})", "{{instance}}"),
            "CPU used of what it may use, or the share of time its quota stopped it.",
            "Above 85 % it is the likely limit: give it more, or spread its work.",
            thresholds=FULL,
        ),
        stat(
            "Silent parts",
            "parts",
            Query(f"count({ANSWERS} < 1) or on() vector(0)"),
            "Parts of the order path that do not answer a scrape or their exporter.",
            "The panel below says which; its log, and lab status, say why.",
            thresholds=(Threshold(0, Colour.GOOD), Threshold(1, Colour.BAD)),
        ),
        TIME_OF_AN_ORDER,
        with_host(
            saturation(
                "Above 85 % it is the likely limit. The generator full: the figures say nothing of the system.",
                FILLED,
                title="How full is each part",
                width=12,
                height=9,
            )
        ),
        lines(
            "Does each part answer",
            "bool",
            {"{{instance}}": ANSWERS},
            "1 while Prometheus, or its exporter, got an answer from it.",
            "A red cell: frozen, dead, or cut off. lab status says which; orders queue before it.",
            kind=Kind.CELLS,
            thresholds=ANSWERING,
            max=1.0,
        ),
        coloured(
            lines(
                "Where orders wait",
                "waiting",
                {
                    "before HAProxy's servers": "sum(haproxy_backend_current_queue)",
                    "in gateways": "sum(gateway_orders_in_flight)",
                    "for a ledger connection": "sum(gateway_ledger_waiters)",
                    "in Postgres": 'sum(gateway_ledger_connections{state="busy"})',
                    "before the engine": "sum(engine_queue_depth_commands)",
                },
                "Orders at this instant; those in gateways hold the ones for a connection and in Postgres.",
                "Orders in gateways that are neither in Postgres nor before it wait for the engine, Redis or the loop.",
            ),
            **{
                "before HAProxy's servers": Colour.HAPROXY,
                "in gateways": Colour.GATEWAY,
                "for a ledger connection": Colour.LOOP,
                "in Postgres": Colour.LEDGER,
                "before the engine": Colour.ENGINE,
            },
        ),
        waits("WALSync: its disk. Lock: somebody holds a row or a table. See the board Postgres."),
    ),
)
