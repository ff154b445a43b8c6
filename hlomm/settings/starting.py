"""What a person's own configuration file begins as, and what an editor may know of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hlomm.settings.load import packaged_config
from hlomm.settings.schema import Settings

HEAD: Final = """\
# Your own configuration. Every setting stands here with its default and does nothing until you take the `#` in front of
# it away; what you leave alone follows the program. `hlomm config check --config THIS` says what is wrong with it.
# Money limits (`limits.max_*`) have to be yours before a live profile starts.

"""


def own_file() -> str:
    """The shipped defaults as TOML in which every setting is commented out; sections and explanations stand."""
    text = (packaged_config() / "default.toml").read_text(encoding="utf-8")
    return HEAD + "".join(map(_asleep, text.splitlines(keepends=True)))


def _asleep(line: str) -> str:
    bare = line.strip()
    return line if not bare or bare.startswith(("#", "[")) else f"#{line}"


def schema() -> dict[str, Any]:
    """JSON Schema of a configuration file: nothing is required, for a file says only what it changes."""
    found: dict[str, Any] = msgspec.json.schema(Settings)
    for one in found["$defs"].values():
        one.pop("required", None)
        if one.get("type") == "object" and "properties" in one:
            one["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
