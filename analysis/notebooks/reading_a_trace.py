# %% [markdown]
# # Reading a trace
# The slowest order of a run, span by span; then which spans make the slow orders slow, over all that were traced.

# %%
import os
from pathlib import Path

from analysis.story import critical_ms, story
from loadgen.record import Run

run = Run.open(Path(os.environ.get("RUN", "tests/golden/gateway-killed")))
told = story(run, "slowest")
print(f"{told.trace_id} in {told.window}: {told.duration_ns / 1e6:.1f} ms, order {told.order}")
for step in told.steps:
    after_ms, took_ms = (step.start_ns - told.start_ns) / 1e6, (step.end_ns - step.start_ns) / 1e6
    print(
        f"{'  ' * step.depth}{step.name:{24 - 2 * step.depth}} {step.component:10} after {after_ms:7.2f} ms,"
        f" {took_ms:7.2f} ms, of which {step.critical_ns / 1e6:7.2f} held the order up"
    )

# %% [markdown]
# The critical path walks back from the end through whatever finished last, so only what delayed the answer counts. The
# slowest tenth of all traced orders against the middle half: the span that differs is where to look.

# %%
usual, slow = critical_ms(run, 0.25, 0.75), critical_ms(run, 0.9, 1.0)
for name in sorted(slow, key=lambda name: usual.get(name, 0.0) - slow[name]):
    print(f"{name:20} {usual.get(name, 0.0):8.2f} ms on the path of usual orders, {slow[name]:8.2f} of slow ones")
suspect = max(slow, key=lambda name: slow[name] - usual.get(name, 0.0))

# %% [markdown]
# What the components wrote about that order.

# %%
print(*told.lines, sep="\n")
