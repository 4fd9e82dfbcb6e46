"""Each sequence number is applied to Redis at most once, in whatever order and however often it comes."""

from __future__ import annotations

import random

import pytest
import redis

from target_system.ledger.projection import BEYOND, SCRIPT, WATERMARK, arguments


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_arrival_gives_the_same_positions(redis_url: str, seed: int) -> None:
    chance = random.Random(seed)
    commands = [(n, ((chance.randint(1, 3), "AAPL", chance.randint(-9, 9), n),)) for n in range(1, 101)]
    arrivals = commands + chance.sample(commands, 50)
    chance.shuffle(arrivals)
    with redis.Redis.from_url(redis_url) as client:
        script = client.register_script(SCRIPT)
        while arrivals:
            batch = [arrivals.pop() for _ in range(min(len(arrivals), chance.randint(1, 8)))]
            mark = script((WATERMARK, BEYOND), arguments(batch))
        assert (mark, client.scard(BEYOND), client.get(WATERMARK)) == (100, 0, b"100")
        for account in (1, 2, 3):
            mine = [delta for _, (delta,) in commands if delta[0] == account]
            held = client.hgetall(f"position:{account}")
            assert (int(held[b"AAPL"]), int(held[b"AAPL:cash"])) == (sum(d[2] for d in mine), sum(d[3] for d in mine))
