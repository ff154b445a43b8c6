"""`python -m hlomm.research.store.packing STORE`: pack what lies complete, for a recorder that has no time for it."""

from __future__ import annotations

import sys
from pathlib import Path

from hlomm.research.store.pack import pack


def main() -> int:
    try:
        packed = pack(Path(sys.argv[1]))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for one in packed:
        if one.corrupt:
            sys.stderr.write(f"{one.part}: {one.corrupt}; kept in the folder `damaged`\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
