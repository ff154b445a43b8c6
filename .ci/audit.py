"""Look for known vulnerabilities of everything that CI installs: `audit.py [--osv-url URL] [FILE]`.

pip-audit asks PyPI, then OSV, about each name and version in `config/constraints.txt`. A vulnerability is exit 1. A
service that cannot be reached, or knows nothing of these versions, is no failure of ours, but it is said in words:
what nobody looked at must not read like what was found to be sound.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).resolve().parent.parent / "config" / "constraints.txt"
PER_REQUEST_S = 10


def asked(requirements: Path, service: list[str]) -> list[dict[str, Any]] | None:
    """What the service says of each, or None if it does not answer."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off",
         "--timeout", str(PER_REQUEST_S), "--format", "json", "-r", str(requirements), *service],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        return None
    each: list[dict[str, Any]] = answer["dependencies"]
    return each


def knows(lines: list[str], service: list[str]) -> bool:
    """Whether it can say anything of the first of them: nobody is asked a hundred times who is not there."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as one:
        one.write(lines[0] + "\n")
        one.flush()
        told = asked(Path(one.name), service)
    return bool(told) and "skip_reason" not in told[0]


def main() -> int:
    parser = argparse.ArgumentParser(description="Known vulnerabilities of what CI installs.")
    parser.add_argument("file", nargs="?", type=Path, default=CONSTRAINTS)
    parser.add_argument("--osv-url", help="ask this service, which speaks as OSV does, and no other")
    given = parser.parse_args()
    lines = [line for line in given.file.read_text().splitlines() if line and not line.startswith("#")]
    own = [["--vulnerability-service", "osv", "--osv-url", given.osv_url]] if given.osv_url else None
    services = own or [["--vulnerability-service", "pypi"], ["--vulnerability-service", "osv"]]
    service = next((each for each in services if knows(lines, each)), None)
    told = None if service is None else asked(given.file, service)
    if told is None:
        sys.stdout.write(
            f"NOT AUDITED: nobody here can be asked about {lines[0]} (PyPI, then OSV): none of {len(lines)} versions "
            f"was looked at. Run .ci/{Path(__file__).name} where they answer.\n"
        )
        return 0
    skipped = [each["name"] for each in told if "skip_reason" in each]
    found = [(each, bug) for each in told for bug in each.get("vulns", ())]
    for each, bug in found:
        mended = ", ".join(bug["fix_versions"]) or "no version yet"
        sys.stdout.write(f"VULNERABLE: {each['name']} {each['version']}: {bug['id']}, mended in {mended}\n")
    sys.stdout.write(f"{len(told) - len(skipped)} versions audited, {len(found)} vulnerabilities\n")
    if skipped:
        sys.stdout.write(f"NOT AUDITED: {', '.join(skipped)}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
