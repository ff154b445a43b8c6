"""Compilation by numba, and the pricing functions that compiled code calls: the very ones, not copies of them.

A scalar function of `hlomm.pricing` is compiled from its own source. What returns a value of several parts is written
again in `formulas`, and a test holds each against its twin.

Compiling takes a processor some 20 seconds. So the machine code is kept in the user's cache folder, under a digest of
all that it was made from; numba by itself looks at one file only. Without a folder to write to every process compiles.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
import platformdirs
from numba.extending import overload, register_jitable

import hlomm
from hlomm.pricing import avellaneda, digital, glft, horizon, normal

Function = TypeVar("Function", bound=Callable[..., Any])
_njit: Final[Any] = numba.njit
"""Without the types that numba declares for it, which do not know all of its options."""
_OPTIONS: Final = {"error_model": "numpy", "nogil": True, "_nrt": False, "forceinline": True}
"""Divisions by zero are not looked for, and no array is made: nothing has to count who holds one.

All of it becomes one function: a call hands over every array as seven words or more on the stack, which took two thirds
of the time.
"""
_MADE_FROM: Final = ("pricing", "research/kernel")
_NOT_COMPILED: Final = frozenset({"agreement.py", "settings.py", "tape.py", "tier.py"})


def compiled(function: Function) -> Function:
    """Compiled when first called."""
    made: Function = _njit(function, **_OPTIONS)
    return made


def kept(function: Function) -> Function:
    """The same, and kept for other processes, with everything that it calls."""
    folder = _folder()
    if folder is None:
        return compiled(function)
    settings: Any = numba.config
    settings.CACHE_DIR = str(folder)
    made: Function = _njit(function, cache=True, **_OPTIONS)
    return made


def _folder() -> Path | None:
    """Where the machine code of this program belongs, made if need be; that of another one goes. None if it cannot."""
    whole = hashlib.sha256(numba.__version__.encode())
    root = Path(hlomm.__file__).parent
    for part in _MADE_FROM:
        for path in sorted((root / part).glob("*.py")):
            whole.update(b"" if path.name in _NOT_COMPILED else path.read_bytes() + b"\0")
    try:
        folder = platformdirs.user_cache_path("hlomm") / "kernel" / whole.hexdigest()[:16]
        if not folder.is_dir():
            shutil.rmtree(folder.parent, ignore_errors=True)
            folder.mkdir(parents=True)
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        return None
    return folder


for _one in (
    normal.pdf, normal.cdf, normal.tail, normal.probit, horizon.p_vol, horizon.arc, horizon.variance, glft.log_power,
    avellaneda.liquidity_half, digital.log_moneyness,
):  # fmt: skip
    register_jitable(_one)


def quantile(p: float) -> float:
    """Quantile of the standard normal, Wichura AS 241 as in the standard library's `NormalDist.inv_cdf`, 0 < p < 1."""
    q = p - 0.5
    if math.fabs(q) <= 0.425:
        r = 0.180625 - q * q
        above = (((((((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r + 6.7265770927008700853e4) * r
                     + 4.5921953931549871457e4) * r + 1.3731693765509461125e4) * r
                  + 1.9715909503065514427e3) * r + 1.3314166789178437745e2) * r
                 + 3.3871328727963666080e0) * q  # fmt: skip
        below = ((((((5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r + 3.9307895800092710610e4) * r
                    + 2.1213794301586595867e4) * r + 5.3941960214247511077e3) * r
                  + 6.8718700749205790830e2) * r + 4.2313330701600911252e1) * r + 1.0  # fmt: skip
        return above / below
    r = math.sqrt(-math.log(p if q <= 0.0 else 1.0 - p))
    if r <= 5.0:
        r -= 1.6
        above = ((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) * r
                    + 1.27045825245236838258e0) * r + 3.64784832476320460504e0) * r
                  + 5.76949722146069140550e0) * r + 4.6303378461565452959e0) * r + 1.42343711074968357734e0  # fmt: skip
        below = ((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2) * r
                    + 1.48103976427480074590e-1) * r + 6.89767334985100004550e-1) * r
                  + 1.67638483018380384940e0) * r + 2.05319162663775882187e0) * r + 1.0  # fmt: skip
    else:
        r -= 5.0
        above = ((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3) * r
                    + 2.65321895265761230930e-2) * r + 2.96560571828504891230e-1) * r
                  + 1.7848265399172913358e0) * r + 5.4637849111641143699e0) * r + 6.6579046435011037772e0  # fmt: skip
        below = ((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) * r
                    + 7.86869131145613259100e-4) * r + 1.48753612908506148525e-2) * r
                  + 1.36929880922735805310e-1) * r + 5.99832206555887937690e-1) * r + 1.0  # fmt: skip
    return -(above / below) if q < 0.0 else above / below


@overload(normal.inv_cdf)
def _inv_cdf(p: float) -> Callable[[float], float]:
    """The standard library has it in C, where numba cannot look."""
    del p
    return quantile
