"""What the architecture documents claim, and what sealed runs and benches make of each claim.

A claim's test is a pure function of one run (or of the figures of one bench) that says nothing where it was not
tested. The newest valid run that says something decides. A rate is judged as the document gives it, with the machine in
the row: where a host is too small to show a rate, that is no refutation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from analysis import claim_tests, cost
from analysis.claim_tests import Judgement, Standing
from loadgen.record import Run


class ClaimError(Exception):
    """What a bench printed is not what its claim asks for: bad input, with the file and what to do."""


class Document(StrEnum):
    HFT = "HFT platform (002)"
    AWS = "AWS architecture (003)"
    CF = "CryptoFlow (000, 001)"
    RRR = "RRRalgorithms (004)"


@dataclass(frozen=True, slots=True)
class Claim:
    """`by`: what tests it, a campaign or a command; `untestable`: why this lab cannot, whatever it runs."""

    id: str
    document: Document
    said: str
    by: str
    of_run: Callable[[Run], Judgement | None] | None = None
    of_bench: tuple[str, str, Callable[[float], Judgement]] | None = None
    """A bench, a figure that it prints, and what tests that figure."""
    of_documents: Callable[[], Judgement] | None = None
    untestable: str = ""


CLAIMS: tuple[Claim, ...] = (
    Claim("hft-scaling", Document.HFT, "1, 4, 8 gateways carry 2,653, 3,163, 2,689 orders/s: sub-linear, then less",
          "campaign hft_sweep", claim_tests.hft_scaling),
    Claim("hft-pg-ceiling", Document.HFT, "one Postgres is the limit, at 2,600 to 2,700 orders/s",
          "campaign hft_sweep with --prove", claim_tests.hft_pg_ceiling),
    Claim("hft-not-network", Document.HFT, "the container bridge is not the limit",
          "campaign network_hop with --prove", claim_tests.hft_not_network),
    Claim("hft-redis", Document.HFT, "one Redis does not limit below 10,000 writes/s", "campaign hft_sweep",
          claim_tests.hft_redis),
    Claim("hft-engine", Document.HFT, "the engine carries 100,000 orders/s and more", "bench engine-grpc",
          of_bench=("engine-grpc", "cpp_stream_on_disk_orders_per_s", claim_tests.hft_engine)),
    Claim("hft-gateway", Document.HFT, "a gateway carries 3,000 to 5,000 orders/s", "bench gateway, campaign hft_sweep",
          claim_tests.hft_gateway, ("gateway", "orders_per_s", claim_tests.hft_gateway_alone)),
    Claim("hft-shard", Document.HFT, "three shards lift 3,163 orders/s to 8,000 to 12,000",
          "campaign pg_shards, write_paths",
          claim_tests.hft_shard),
    Claim("hft-partition", Document.HFT, "three engines and a Redis cluster carry 20,000 to 30,000 orders/s",
          "lab predict", untestable="partitioned engines are not built, and two cores carry no such rate: model only"),
    Claim("hft-enterprise", Document.HFT, "several regions carry 50,000 to 100,000 orders/s in 15 to 20 ms",
          "lab predict", untestable="one machine has no regions: model only"),
    Claim("hft-cost", Document.HFT, "a price for each stage", "cost catalogue", of_documents=cost.hft_cost),
    Claim("aws-slo", Document.AWS, "500 requests/s with p99 below 100 ms", "campaign slo_500", claim_tests.aws_slo),
    Claim("aws-throttle", Document.AWS, "the throttle at 500/s protects what is behind it", "campaign throttle",
          claim_tests.aws_throttle),
    Claim("aws-decouple", Document.AWS, "a failing peripheral service does not touch the trading path",
          "faults on history under load"),
    Claim("aws-cache", Document.AWS, "Redis holds books and sessions, p99 of reads below 100 ms", "reads, twice"),
    Claim("aws-metrics", Document.AWS, "in-cluster metrics have sub-second granularity", "any run",
          claim_tests.aws_metrics),
    Claim("aws-db-failover", Document.AWS, "the database fails over in less than 30 s", "kill of the primary",
          untestable="the cluster has no streaming replica"),
    Claim("aws-alerts", Document.AWS, "alarms reach a remedy and a person by SNS", "lab drill"),
    Claim("aws-hpa", Document.AWS, "gateways scale with CPU and memory", "replay of a load through the HPA rule"),
    Claim("cf-cold", Document.CF, "a first request costs 200 to 2,000 ms, a hot one below 10 ms", "scale to zero"),
    Claim("cf-stream", Document.CF, "a stream stays open and delivers thousands of updates/s", "market-data load"),
    Claim("cf-state", Document.CF, "state in memory is read in nanoseconds, elsewhere for a round trip",
          "campaign portfolio_state", claim_tests.cf_state),
    Claim("cf-cost", Document.CF, "serverless is cheaper for rare work", "break-even of measured durations"),
    Claim("cf-split", Document.CF, "market data and orders scale and fail apart", "faults on market data"),
    Claim("cf-topology", Document.CF, "one NodePort, all else inside the cluster", "manifests"),
    Claim("rrr-rto", Document.RRR, "recovery times per component", "lab torture, faults"),
    Claim("rrr-redis-failover", Document.RRR, "a Redis replica takes over within 30 s", "kill of the primary",
          untestable="the cluster has no Redis replica"),
    Claim("rrr-hpa", Document.RRR, "2 to 10 replicas by CPU, memory and queue", "replay through the HPA rule"),
    Claim("rrr-rate-limit", Document.RRR, "100 requests/s for each API key", "campaign throttle"),
    Claim("rrr-cost", Document.RRR, "$4,882, $1,969, $1,635 and $1,200 a month", "cost catalogue",
          of_documents=cost.rrr_cost),
    Claim("rrr-policies", Document.RRR, "least privilege, network policies, secrets outside", "policy tools"),
    Claim("rrr-billing", Document.RRR, "alarms at $500, $1,000, $2,000", "emulated CloudWatch"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    claim: Claim
    standing: Standing
    said: str
    shown_by: str
    """The run or bench, or "" where there is none."""


def printed(folder: Path) -> dict[str, float]:
    """Of what benches printed into `<folder>/<bench>.json`, the figures that claims ask for, by bench.

    Raises ClaimError naming every file that does not hold its figure.
    """
    found, faults = {}, []
    for bench, figure, _ in (claim.of_bench for claim in CLAIMS if claim.of_bench):
        path = folder / f"{bench}.json"
        if not path.exists():
            continue
        try:
            found[bench] = float(json.loads(path.read_bytes())[figure])
        except (OSError, ValueError, KeyError, TypeError) as error:
            again = f"`lab bench {bench} --json > {path}` writes it again"
            faults.append(f"{path}: no figure {figure} ({type(error).__name__}: {error}); {again}")
    if faults:
        raise ClaimError("\n".join(faults))
    return found


def judged(runs: Sequence[Run], benches: Mapping[str, float]) -> list[Row]:
    """`runs`: in the order of time; `benches`: name → the figure that its claim asks for."""
    return [_row(claim, runs, benches) for claim in CLAIMS]


def _row(claim: Claim, runs: Sequence[Run], benches: Mapping[str, float]) -> Row:
    if claim.of_documents:
        found = claim.of_documents()
        return Row(claim, found.standing, found.said, "the documents themselves")
    if claim.of_bench and claim.of_bench[0] in benches:
        name, _, test = claim.of_bench
        found = test(benches[name])
        return Row(claim, found.standing, found.said, f"bench {name}")
    judgements = [(run, said) for run in runs if run.valid and claim.of_run and (said := claim.of_run(run)) is not None]
    if judgements:
        decisive = [each for each in judgements if each[1].standing in (Standing.SUPPORTED, Standing.REFUTED)]
        run, said = (decisive or judgements)[-1]
        return Row(claim, said.standing, said.said, run.id)
    if claim.untestable:
        return Row(claim, Standing.NOT_TESTABLE, claim.untestable, "")
    return Row(claim, Standing.NOT_YET, f"test: {claim.by}", "")


def document(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [
        {
            "id": row.claim.id,
            "document": str(row.claim.document),
            "claim": row.claim.said,
            "status": str(row.standing),
            "said": row.said,
            "run": row.shown_by,
            "test": row.claim.by,
        }
        for row in rows
    ]
