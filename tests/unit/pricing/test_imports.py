"""The live path pays for neither numpy nor scipy, and the room reads nothing of the world."""

import subprocess
import sys

HEAVY = ("numpy", "scipy", "polars", "trio", "httpx2", "textual", "structlog")

SCRIPT = f"""
import importlib, pkgutil, sys
import hlomm.pricing
names = [module.name for module in pkgutil.iter_modules(hlomm.pricing.__path__)]
assert "quoter" in names
for name in names:
    importlib.import_module("hlomm.pricing." + name)
print(",".join(name for name in {HEAVY!r} if name in sys.modules))
"""

LIVE = f"""
import sys
from hlomm.pricing.quoter import QuoteModel, quote
for model in QuoteModel:
    made = quote(model, p=0.6, q=5.0, tau_s=600.0, sigma_p=0.01, gamma=0.01, a=0.1, k=60.0, lot=1.0, horizon_s=60.0,
                 max_half=0.2)
    assert made.bid is not None
print(",".join(name for name in {HEAVY!r} if name in sys.modules))
"""


def loaded(script):
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def test_importing_every_module_loads_no_heavy_package():
    assert loaded(SCRIPT) == ""


def test_quoting_loads_no_heavy_package():
    assert loaded(LIVE) == ""
