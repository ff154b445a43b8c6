"""Look for secrets in every tracked file: `look_for_secrets.py [FOLDER]`, with the detectors of detect-secrets.

What looks like one and is none stands in `no_secrets.json` beside this file's namesake in FOLDER, with the reason:
path, then the digest of what was found, then why. A marker in a line of code excuses nothing. Exit 1 for a finding
that does not stand there, and for an entry that nothing is found for.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import get_settings

HERE = Path(__file__).resolve().parent
NOT_EXCUSED = "detect_secrets.filters.allowlist.is_line_allowlisted"
"""A filter that lets whoever writes the line decide."""


def detectors() -> None:
    """All that come with it, and our own."""
    settings = get_settings()
    settings.disable_filters(NOT_EXCUSED)
    own = {"name": "HexKeyDetector", "path": (HERE / "hex_keys.py").as_uri()}
    settings.configure_plugins([own])  # first: what there is, is found out once
    settings.configure_plugins(
        [
            {"name": detector.__name__}
            for detector in get_mapping_from_secret_type_to_class().values()
            if detector.__name__ != own["name"]
        ]
    )


def found_in(path: str) -> list[tuple[str, str, str, int]]:
    """Path, digest, kind and line of everything that looks like a secret."""
    return sorted({(path, found.secret_hash, found.type, found.line_number) for found in scan_file(path)})


def look(folder: Path) -> list[str]:
    """What is wrong, in words."""
    listed = folder / ".ci" / "no_secrets.json"
    known: dict[str, dict[str, str]] = json.loads(listed.read_text()) if listed.exists() else {}
    names = subprocess.run(["git", "ls-files", "-z"], cwd=folder, check=True, capture_output=True, text=True)  # noqa: S607
    paths = [str(folder / name) for name in names.stdout.split("\0") if name and name != ".ci/no_secrets.json"]
    with multiprocessing.get_context("fork").Pool() as pool:
        found = [one for each in pool.map(found_in, paths, chunksize=8) for one in each]
    seen = {(str(Path(path).relative_to(folder)), digest): (kind, line) for path, digest, kind, line in found}
    wrong = [
        f"{path}:{line}: {kind}. Take it out and revoke it; if it is none, say why in .ci/no_secrets.json: {digest}"
        for (path, digest), (kind, line) in seen.items()
        if digest not in known.get(path, {})
    ]
    listed_for_nothing = {(path, digest) for path, each in known.items() for digest in each} - seen.keys()
    wrong += [f".ci/no_secrets.json: nothing in {path} is {digest}" for path, digest in sorted(listed_for_nothing)]
    sys.stdout.write(f"{len(paths)} files looked at for secrets, {len(known)} with something that is none\n")
    return wrong


if __name__ == "__main__":
    detectors()
    complaints = look(Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent).resolve())
    sys.exit("\n".join(complaints) or 0)
