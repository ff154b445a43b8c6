"""Profile paper: where its data come from, and that no key has any business there."""

from __future__ import annotations

from pathlib import Path

from hlomm.cli.record import places
from hlomm.daemon.desks import Desk, Local
from hlomm.daemon.sim_process import read_document
from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.research.paper.desk import PaperDesk
from hlomm.settings.load import Loaded
from hlomm.venues.clock import Clock


def paper_desks(loaded: Loaded, sim_file: Path | None) -> Local:
    """The account at home. ConfigError where the configuration wants what paper cannot do."""
    settings = loaded.settings
    for name, section in (("polymarket", settings.venue.polymarket), ("kalshi", settings.venue.kalshi)):
        if section.enabled:
            raise ConfigError(f"venue.{name}.enabled: profile paper trades Hyperliquid alone — set it to false")
    document = None if sim_file is None else read_document(sim_file)
    clock = Clock() if document is None else Clock(document.clock.map())
    (place,) = places(settings, document, HYPERLIQUID)
    source = place.rest if document is None else f"{place.rest}|{document.clock.host_origin_ns}"
    desk = PaperDesk(settings=settings, place=place, clock=clock, source=source)
    return Local(
        clock=clock, desks=(Desk(venue=HYPERLIQUID, books=desk.books, session=desk.session, charge=None),),
        seed=None if document is None else document.seed, fill_model=desk.model.tag,
    )  # fmt: skip
