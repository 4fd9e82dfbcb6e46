"""Redis holds the projection: positions and last books. It may be lost whole, and delays nobody beyond a deadline."""

from dashboards.model import Board, Kind
from dashboards.panels import ANSWERING, latency, level, lines, rate, rate_of, saturation

BOARD = Board(
    "redis",
    "Redis",
    "The projection, how far it is behind, and what it costs an order.",
    (
        latency(
            "gateway_stage_seconds",
            "It is cut off at a deadline; then the settler applies what was skipped.",
            'stage="publish"',
            title="What an order waits for Redis",
        ),
        rate(
            "redis_commands_processed_total",
            "It follows the load; a stop under load is a frozen Redis.",
            title="Commands",
        ),
        rate(
            "gateway_projection_skipped_total",
            "Redis was slow or away. Positions lag until the settler has caught up.",
            title="Orders answered before Redis had them",
        ),
        lines(
            "How far the projections are behind",
            "commands",
            {
                "ledger": "clamp_min(max(settler_engine_sequence) - max(settler_ledger_sequence), 0)",
                "Redis": "clamp_min(max(settler_engine_sequence) - max(settler_redis_sequence), 0)",
            },
            "Sequence numbers that the engine has on disk and these are not yet known to hold; in calm a second's"
            " orders, so long the settler leaves the ledger alone.",
            "Growing: the settler is stopped, or its server is away.",
        ),
        lines(
            "Servers as the settler sees them",
            "bool",
            {"{{server}}": "min by (server) (settler_server_up)"},
            "1 while the last call succeeded.",
            "0: see that component's board and log.",
            kind=Kind.CELLS,
            thresholds=ANSWERING,
            max=1.0,
        ),
        lines(
            "What the settler did",
            "commands/s",
            {
                "holes filled": rate_of("settler_holes_filled_total"),
                "applied to Redis": rate_of("settler_projected_total"),
            },
            "Results that a crash left out.",
            "Above zero without a crash: gateways time out after the engine answered.",
        ),
        latency("settler_round_seconds", "Slow rounds: the ledger or Redis is.", title="A round of the settler"),
        rate(
            "settler_books_published_total", "None while orders trade: the settler is stopped.", title="Books published"
        ),
        lines(
            "CPU",
            "cores",
            {"user": rate_of("redis_cpu_user_seconds_total"), "kernel": rate_of("redis_cpu_sys_seconds_total")},
            "Redis works on one thread.",
            "Near 1 core it is full.",
            kind=Kind.STACK,
        ),
        level(
            "redis_memory_used_bytes",
            "Near its maximum keys are refused or evicted: raise redis.memory_max_mb.",
            title="Memory",
        ),
        lines(
            "Keys evicted",
            "keys/s",
            {"evicted": rate_of("redis_evicted_keys_total")},
            "Removed for want of memory.",
            "They are lost positions: the settler rebuilds them.",
        ),
        saturation("Red: Redis is the limit of the projection, not of acknowledgements.", 'component=~"redis|settler"'),
    ),
)
