# %% [markdown]
# # Latency under coordinated omission
# A gateway was killed while requests came at random moments, 300 a second. The open loop sent each when it was due,
# and measured from then on. What would users have seen who wait for their answer before they send again?

# %%
import os
from pathlib import Path

from analysis.omission import quantiles_ms, replayed_ns, seen_ns
from loadgen.record import Run

run = Run.open(Path(os.environ.get("RUN", "tests/golden/gateway-killed")))
window = run.windows[0]
due_ns, latency_ns = seen_ns(run, window)
print(f"{run.id}: {len(due_ns):,} requests due in {window.duration_s:.0f} s, {window.rate_per_s or 0:.0f} a second")

# %% [markdown]
# The same system, seen by ten users that send as often when nothing stalls.

# %%
users = 10
think_ns = round(users / (len(due_ns) / window.duration_s) * 1e9)
closed_ns = replayed_ns(due_ns, latency_ns, users, think_ns)
seen, closed = quantiles_ms(latency_ns), quantiles_ms(closed_ns)
for percent in seen:
    print(f"p{percent:g}: {seen[percent]:8.1f} ms from when it was due, {closed[percent]:8.1f} ms to users who wait")

# %% [markdown]
# How many requests met the stall at all? Each of the users who wait meets it once; of the requests that were due, all
# those meet it that were due in it.

# %%
stalled_ms = 25.0
met = {name: int((each > stalled_ms * 1e6).sum()) for name, each in (("due", latency_ns), ("waiting", closed_ns))}
print(f"longer than {stalled_ms:.0f} ms: {met['due']} of {len(latency_ns)} requests that were due,")
print(f"{met['waiting']} of {len(closed_ns)} that {users} waiting users sent")
