# %% [markdown]
# # Scaling laws, on published data and on a run of our own
# The Universal Scalability Law describes a sweep. Set `RUN` to any sealed run that sweeps one number.

# %%
import os
from pathlib import Path

import yaml

from analysis import scaling, usl
from analysis.measured import configurations
from loadgen.record import Run

RUN = Path(os.environ.get("RUN", "tests/golden/gateway-bound"))
published = yaml.safe_load(Path("tests/analysis/data/scalability.yaml").read_text())

# %% [markdown]
# SPEC SDM91, as Gunther fitted it: the coefficients must come out again.

# %%
case = published["specsdm91"]
sdm = usl.fit(case["n"], case["x"])
print(f"gamma {sdm.gamma.value:.3f}, alpha {sdm.alpha.value:.6f}, beta {sdm.beta.value:.7f}; peak at {sdm.peak_n:.1f}")

# %% [markdown]
# A warning: fitted on the first points only, the law misses the last one of the Cisco data by far.

# %%
cisco = published["cisco_schwartz"]
misses = {}
for first in (8, 12, 16, 20, 24):
    fitted = usl.fit(cisco["n"][:first], cisco["x"][:first])
    misses[first] = fitted.throughput(32) / cisco["x"][-1] - 1
    print(f"from the first {first} points: X(32) is missed by {100 * misses[first]:+.0f} %")

# %% [markdown]
# Our own run: each step of the sweep is a small intervention.

# %%
run = Run.open(RUN)
for configuration in configurations(run):
    print(f"{configuration.name}: {configuration.orders_per_s.value:,.0f} orders/s")
steps = scaling.steps(run)
for step in steps:
    print(f"{step.before.name} to {step.after.name}: {step.ratio.value:.2f} times, elasticity {step.elasticity:.2f}")
