"""The Universal Scalability Law: describes how throughput grows, levels off and falls with N. It does not explain why.

X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1)), all three coefficients >= 0 (Gunther, "Guerrilla Capacity
Planning", 2007). An unbounded fit can return a negative beta, as if throughput would explode: hence the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from analysis.finding import Interval

POINTS_MIN = 4
NUMBERS_MIN = 3
"""Different N that a fit needs."""


@dataclass(frozen=True, slots=True)
class Coefficient:
    value: float
    standard_error: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Fit:
    """gamma: rate of one; alpha: contention; beta: coherency. Residual standard error in the unit of X."""

    gamma: Coefficient
    alpha: Coefficient
    beta: Coefficient
    residual_standard_error: float

    def throughput(self, n: float) -> float:
        return float(_model(np.array([self.gamma.value, self.alpha.value, self.beta.value]), np.array([n]))[0])

    @property
    def peak_n(self) -> float:
        """N of the highest throughput, at least 1; infinite where nothing turns it down."""
        if self.alpha.value > 1:
            return 1.0
        return max(1.0, math.sqrt((1 - self.alpha.value) / self.beta.value)) if self.beta.value > 0 else math.inf

    @property
    def limit_per_s(self) -> float:
        """The throughput that contention alone would allow, gamma / alpha."""
        return self.gamma.value / self.alpha.value if self.alpha.value > 0 else math.inf


def fit(n: Sequence[float], throughput_per_s: Sequence[float]) -> Fit:
    """Bounded least squares on at least four points at three or more different N.

    Standard errors are the usual ones of nonlinear regression, from the Jacobian at the solution; the interval of a
    coefficient is Student's t, cut at zero. A coefficient that ends on its bound counts as known to be zero.
    """
    numbers, rates = np.asarray(n, dtype=float), np.asarray(throughput_per_s, dtype=float)
    if len(numbers) < POINTS_MIN or len(set(numbers)) < NUMBERS_MIN:
        raise ValueError(
            f"{len(numbers)} points at {len(set(numbers))} different N do not determine three coefficients; "
            f"measure at least {POINTS_MIN} points at {NUMBERS_MIN} different N"
        )
    start = np.array([max(rates / numbers), 0.01, 1e-4])
    found = optimize.least_squares(
        lambda coefficients: _model(coefficients, numbers) - rates,
        start,
        bounds=(0, np.inf),
        x_scale=start,
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
        max_nfev=20_000,
    )
    # The solver keeps strictly inside the bounds, so a coefficient that ends at zero is met a hair above it.
    at_bound = found.x < np.array([1e-6, 1e-6, 1e-9]) * [rates.max(), 1, 1]
    values = np.where(at_bound, 0.0, found.x)
    free = ~at_bound
    degrees = len(numbers) - int(free.sum())
    error = math.sqrt(float(np.sum((_model(values, numbers) - rates) ** 2)) / degrees)
    errors = np.zeros(3)
    jacobian = found.jac[:, free]
    errors[free] = error * np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    gamma, alpha, beta = (_coefficient(float(v), float(e), degrees) for v, e in zip(values, errors, strict=True))
    return Fit(gamma, alpha, beta, error)


def _model(coefficients: np.ndarray, n: np.ndarray) -> np.ndarray:
    gamma, alpha, beta = coefficients
    return np.asarray(gamma * n / (1 + alpha * (n - 1) + beta * n * (n - 1)))


def _coefficient(value: float, error: float, degrees: int) -> Coefficient:
    half = float(stats.t.ppf(0.975, degrees)) * error
    interval = Interval(max(0.0, value - half), value + half, f"Student's t, {degrees} degrees of freedom")
    return Coefficient(value, error, interval)
