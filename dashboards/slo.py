"""What was promised, how much of the budget is spent, and how fast it burns."""

from dashboards.model import Board, Colour, Panel, Query, Threshold
from dashboards.panels import PROMISED, latency, lines, stat
from target_system.slo import AVAILABILITY, BURN_FAST, BURN_SLOW, LATENCY, ORDERS, Slo, bad_share, burn

WINDOWS = ("1m", "5m", "30m", "1h")
BURNING = (Threshold(0, Colour.GOOD), Threshold(1, Colour.WARN), Threshold(BURN_FAST, Colour.BAD))
SPENT = (Threshold(0, Colour.GOOD), Threshold(0.5, Colour.WARN), Threshold(1, Colour.BAD))


def burn_panel(slo: Slo) -> Panel:
    return lines(
        f"Burn rate, {slo.name}",
        "number",
        {window: burn(slo, window) for window in WINDOWS},
        f"How many times faster than allowed the budget of '{slo.promise}' is spent, over windows.",
        f"Above {BURN_FAST:g} over the long and the short window: act now. Above {BURN_SLOW:g}: today.",
        width=12,
        thresholds=BURNING,
    )


def spent_panel(slo: Slo) -> Panel:
    return stat(
        f"Budget spent, {slo.name}",
        "share",
        Query(burn(slo, "$__range")),
        f"Of the {slo.budget:.2%} of orders and cancels of this time range that need not be {slo.promise}.",
        "Above 100 % the promise is broken over this range: see the overview.",
        thresholds=SPENT,
        width=6,
        height=5,
    )


def kept_panel(slo: Slo) -> Panel:
    limits = (Threshold(0, Colour.BAD), Threshold(slo.objective, Colour.GOOD))
    return stat(
        f"Kept, {slo.name}",
        "share",
        Query(f"1 - ({bad_share(slo, '$__range')})"),
        f"Orders and cancels {slo.promise}, over this time range. Promised: {slo.objective:.2%}.",
        "Red: broken.",
        thresholds=limits,
        width=6,
        height=5,
    )


BOARD = Board(
    "slo",
    "SLO",
    f"{AVAILABILITY.objective:.1%} {AVAILABILITY.promise}; {LATENCY.objective:.0%} {LATENCY.promise}.",
    (
        kept_panel(AVAILABILITY),
        spent_panel(AVAILABILITY),
        kept_panel(LATENCY),
        spent_panel(LATENCY),
        burn_panel(AVAILABILITY),
        burn_panel(LATENCY),
        lines(
            "Bad orders and cancels",
            "share",
            {"failed": bad_share(AVAILABILITY, "$__rate_interval"), "slow": bad_share(LATENCY, "$__rate_interval")},
            "Of all, at this moment.",
            "The board Order path says which and why.",
            width=12,
        ),
        latency(
            "gateway_request_seconds",
            "Above the threshold for more than 1 % of orders the budget is spent.",
            ORDERS,
            title="Latency against what was promised",
            width=12,
            thresholds=PROMISED,
        ),
    ),
)
