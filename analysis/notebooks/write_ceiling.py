# %% [markdown]
# # What limits the writes, step by step
# From what a component uses of its capacity, over where an order waits, to what would bind next.

# %%
import os
from pathlib import Path

from analysis import calibration, predict, predicted, whatif
from analysis.bottleneck import verdict
from analysis.demand import modelled_per_s
from analysis.measured import configurations
from analysis.residence import residence_of
from analysis.saturation import loads
from loadgen.record import Run

run = Run.open(Path(os.environ.get("RUN", "tests/golden/gateway-bound")))

# %% [markdown]
# 1. How full is each component, and what does an order cost it?

# %%
for configuration in configurations(run):
    print(configuration.name)
    for load in loads(run, configuration).values():
        print(
            f"  {load.component:12} {load.utilisation:6.0%} of {load.capacity}, {load.demand_us.value:6.0f} µs an order"
        )

# %% [markdown]
# 2. Would the processors alone carry more than was measured? Then something sleeps: where does an order wait?

# %%
for configuration in configurations(run):
    model = modelled_per_s(configuration, loads(run, configuration))
    time = residence_of(run, configuration)
    print(
        f"{configuration.name}: measured {configuration.orders_per_s.value:,.0f}, CPUs alone {model or 0:,.0f} orders/s"
    )
    if time:
        print("  " + ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in time.stages_ms.items()))

# %% [markdown]
# 3. The verdict, and its doubt.

# %%
found = verdict(run)
print(found.sentence, *found.doubt, sep="\n- ")

# %% [markdown]
# 4. What binds next, if the model fits this run.

# %%
refused = ""
try:
    start = predicted.target(run, {}, None)
    for step in whatif.next_limits(predict.model_of(run, start.topology), start):
        print(f"{step.lifted or 'as measured'}: {step.orders_per_s:,.0f} orders/s ({step.status}), then {step.binds}")
except calibration.PredictionError as error:
    refused = str(error)
    print(refused)
