"""How far the price of a dated digital can move: instantaneous vol and variance over a horizon.

On any driftless diffusion with deterministic vol, Ito gives dp = phi(z)/sqrt(tau) dW with z = PhiInv(p): the vol of
the probability depends on neither sigma nor the strike once p is known. The units of tau set the units of the vol
(tau in seconds: per sqrt second). p is clipped to [1e-12, 1 - 1e-12] only inside PhiInv.
"""

from __future__ import annotations

import math
from typing import Final

from hlomm.pricing import normal

_NODES: Final = (
    (0.12523340851146892, 0.24914704581340278),
    (0.36783149899818019, 0.23349253653835481),
    (0.58731795428661745, 0.20316742672306592),
    (0.76990267419430469, 0.16007832854334623),
    (0.90411725637047486, 0.10693932599531843),
    (0.98156063424671925, 0.04717533638651183),
)
"""Positive half of the 12-point Gauss-Legendre rule on [-1, 1]: (node, weight).

The integrand of `variance` is analytic on [0, pi/2] (its singularity sits at -pi/2), so twelve points give 1e-14
relative for p in [1e-4, 1 - 1e-4] at every h/tau, 1e-10 at p = 1e-12.
"""


def p_vol(p: float, tau: float) -> float:
    """phi(PhiInv(p))/sqrt(tau): absolute vol of p per sqrt of the unit of tau; 0 at tau = 0, where p has settled."""
    if tau <= 0.0:
        return 0.0
    return normal.pdf(normal.probit(p)) / math.sqrt(tau)


def variance(p: float, tau: float, h: float) -> float:
    """Var(p at t+h) seen from t, for 0 <= h <= tau (same unit); h is clamped into that range.

    V(h) = 1/(2 pi) * integral over u in [0, asin(h/tau)] of exp(-z^2/(1 + sin u)); V(tau) = p(1-p) and nothing
    exceeds it; small h: phi(z)^2 h/tau. It equals Phi2(z, z; h/tau) - p^2, a form that cancels.
    """
    if h <= 0.0 or tau <= 0.0:
        return 0.0
    bound = p * (1.0 - p)
    if h >= tau:
        return bound
    z = normal.probit(p)
    half = 0.5 * math.asin(h / tau)
    return min(bound, arc(z * z, half))


def arc(z_squared: float, half: float) -> float:
    """1/(2 pi) * integral of exp(-z^2/(1 + sin u)) over u in [0, 2 half], half <= pi/4: the body of `variance`."""
    exp, sin = math.exp, math.sin
    total = 0.0
    for node, weight in _NODES:
        step = half * node
        total += weight * (exp(-z_squared / (1.0 + sin(half - step))) + exp(-z_squared / (1.0 + sin(half + step))))
    return total * half / (2.0 * math.pi)
