"""Every function of the vector files that belong to this room is claimed by a test."""

import json
import os
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
VECTORS = HERE.parents[2].parent / "shared" / "fixtures" / "quant"
CLAIM = re.compile(r'mark\.quant\("(\w+)", "(\w+)"\)')
TOPICS = (
    "as_glft",
    "binary_space",
    "microprice",
    "vol",
    "digital",
    "kelly",
    "fees",
    "risk",
    "mm_stats",
    "fill_models",
    "arb",
)


@pytest.mark.parametrize("topic", TOPICS)
def test_no_vector_function_is_forgotten(topic):
    if not VECTORS.is_dir():
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"NOT CHECKED: completeness of {topic}.json, because {VECTORS} does not exist")
    claimed = {match.groups() for path in sorted(HERE.glob("test_*.py")) for match in CLAIM.finditer(path.read_text())}
    functions = json.loads((VECTORS / f"{topic}.json").read_text())["functions"]
    assert {(topic, fn) for fn in functions} <= claimed
