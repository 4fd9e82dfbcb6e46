"""What the documents say their clusters cost, item by item: each table's sum checked, each contradiction named.

The figures are the documents'; nothing here is a price of today. `per_million` turns a month's price and a measured
capacity into dollars for a million orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.claim_tests import Judgement, Standing

MONTH_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Table:
    """`stated`: the total that the document prints below the items, dollars a month."""

    name: str
    items: Mapping[str, int]
    stated: int

    @property
    def total(self) -> int:
        return sum(self.items.values())


@dataclass(frozen=True, slots=True)
class Stage:
    """Of the HFT roadmap: dollars a month and orders/s as (low, high), from its two lists of prices."""

    name: str
    gateways: tuple[int, int]
    shards: int
    orders_per_s: tuple[int, int]
    roadmap: tuple[int, int]
    analysis: tuple[int, int]


RRR_TABLES = (
    Table("lift and shift", {
        "EKS control plane": 72, "10 t3.xlarge": 1_520, "2 p3.2xlarge": 1_836, "RDS db.r5.xlarge": 675,
        "ElastiCache": 290, "S3": 38, "EBS": 120, "EFS": 20, "load balancer": 52, "CloudWatch": 100,
        "data transfer": 150, "Secrets Manager": 9,
    }, 4_882),
    Table("optimised", {
        "EKS control plane": 72, "5 t3.large, 3 spot": 760, "p3.2xlarge spot": 275, "RDS db.r5.large": 338,
        "ElastiCache": 180, "S3 and Glacier": 38, "EBS": 80, "EFS": 15, "load balancer": 52, "CloudWatch": 50,
        "data transfer": 100, "Secrets Manager": 9,
    }, 1_969),
    Table("multi-cloud", {
        "EKS control plane": 72, "4 t3.large, 2 spot": 600, "preemptible T4": 200, "Cloud SQL": 250,
        "MemoryStore": 150, "object storage": 30, "block storage": 80, "Filestore": 12, "load balancer": 52,
        "monitoring": 60, "Secrets Manager": 9, "data transfer": 120,
    }, 1_635),
    Table("multi-cloud, bill of materials, AWS", {
        "EKS control plane": 72, "4 t3.large": 480, "2 t3.large spot": 72, "p3.2xlarge spot, 12 h": 275,
        "RDS db.r5.large": 338, "ElastiCache": 180, "S3": 38, "EBS": 80, "EFS": 15, "load balancer": 52,
        "data transfer": 100, "CloudWatch": 50, "Secrets Manager": 9,
    }, 1_761),
    Table("multi-cloud, bill of materials, GCP", {
        "quantum optimisation": 40, "backtesting": 30, "BigQuery": 50, "GCS": 10,
    }, 130),
)  # fmt: skip
RRR_TWICE = {"multi-cloud": (1_635, 1_891), "aggressive": (1_200, 1_435)}
"""Priced in two places of one document."""

HFT_STAGES = (
    Stage("1, one node", (1, 2), 1, (2_600, 3_200), (0, 50), (0, 100)),
    Stage("2, several gateways", (4, 8), 1, (3_200, 3_500), (500, 1_000), (500, 1_000)),
    Stage("3, three shards", (8, 16), 3, (8_000, 12_000), (1_500, 2_500), (1_500, 2_500)),
    Stage("4, partitioned engines", (16, 16), 3, (20_000, 30_000), (3_000, 5_000), (5_000, 20_000)),
    Stage("5, several regions", (32, 32), 3, (50_000, 100_000), (10_000, 20_000), (5_000, 20_000)),
)


def per_million(dollars_a_month: float, orders_per_s: float) -> float:
    """Dollars for a million orders at that rate day and night."""
    return dollars_a_month / (orders_per_s * MONTH_S) * 1e6


def rrr_contradictions() -> list[str]:
    found = [
        f"{table.name}: the items come to ${table.total:,}, the document says ${table.stated:,}"
        for table in RRR_TABLES
        if table.total != table.stated
    ]
    return found + [f"{name}: ${one:,} in one place, ${other:,} in another" for name, (one, other) in RRR_TWICE.items()]


def hft_contradictions() -> list[str]:
    return [
        f"stage {stage.name}: ${stage.roadmap[0]:,} to {stage.roadmap[1]:,} in the roadmap, "
        f"${stage.analysis[0]:,} to {stage.analysis[1]:,} in the cost analysis"
        for stage in HFT_STAGES
        if stage.roadmap != stage.analysis
    ]


def rrr_cost() -> Judgement:
    summed = sum(table.total == table.stated for table in RRR_TABLES)
    return _of(rrr_contradictions(), f"{summed} of {len(RRR_TABLES)} tables add up to the dollar")


def hft_cost() -> Judgement:
    agreed = sum(stage.roadmap == stage.analysis for stage in HFT_STAGES)
    return _of(hft_contradictions(), f"{agreed} of {len(HFT_STAGES)} stages have one price")


def _of(contradictions: list[str], said: str) -> Judgement:
    if not contradictions:
        return Judgement(Standing.SUPPORTED, said)
    return Judgement(Standing.REFUTED, f"{said}; {'; '.join(contradictions)}")
