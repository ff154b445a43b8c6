"""From settings to an account at home: which data it hears, what its fills are a model of, and what it begins with."""

from __future__ import annotations

import attrs

from hlomm.assembly.numbers import scaled
from hlomm.domain.carried import CarriedBooks
from hlomm.domain.faults import ConfigError
from hlomm.domain.inputs import PerpBalance
from hlomm.domain.markets import Leg
from hlomm.domain.units import Cash
from hlomm.research.fee_schedule import FeesOf
from hlomm.research.fill_model import FillModel, fill_model
from hlomm.research.latency import Constant, parse_latency
from hlomm.research.paper.session import PaperSession, PaperTerms
from hlomm.research.record.sources import Place, hyperliquid_at
from hlomm.research.tape_venue import Opening
from hlomm.settings.rehearsals import Paper
from hlomm.settings.schema import Settings
from hlomm.venues.clock import Clock
from hlomm.venues.hyperliquid.public import HyperliquidPublic
from hlomm.venues.hyperliquid.watch import HyperliquidWatcher
from hlomm.venues.public_transport import PublicTransport
from hlomm.venues.socket_stream import open_stream
from hlomm.venues.transport import Connect

_NUMBERS_A_MS = 1_000
"""No run counts more orders and movements than so many a millisecond: numbers of two runs never meet."""


def paper_model(section: Paper) -> FillModel:
    """The model of fills that is configured. ConfigError for one that a live run cannot have, UsageError for none."""
    latency = parse_latency(section.latency, section.seed)
    if latency.feed != Constant(0):
        raise ConfigError("paper.latency: the feed of a live run is as late as it is — leave its leg out")
    return fill_model(section.queue, section.queue_n, latency)


@attrs.frozen(kw_only=True)
class PaperDesk:
    """One account at home, and the venue whose data it trades on."""

    settings: Settings
    place: Place
    clock: Clock
    source: str
    """Whose data: a network, or one simulator."""
    connect: Connect = open_stream

    @property
    def model(self) -> FillModel:
        return paper_model(self.settings.paper)

    @property
    def books(self) -> str:
        """Whose books: another source, model of fills or table of fees is another account, begun anew."""
        return f"paper|{self.source}|{self.model.tag} fees={self.settings.paper.fees}"

    def session(self, carried: CarriedBooks | None) -> PaperSession:
        """`carried`: how the last run of this account left it."""
        section = self.settings.venue.hyperliquid
        transport = PublicTransport(connect=self.connect, rules=HyperliquidPublic())
        config = hyperliquid_at(self.place, section)
        watcher = HyperliquidWatcher(config, transport=transport, clock=self.clock, together=True)
        paper = self.settings.paper
        terms = PaperTerms(
            model=self.model, fees=FeesOf(paper.fees),
            cash=Cash(scaled(paper.cash)) if carried is None else carried.cash,
            opening=self._opening(carried),
        )  # fmt: skip
        return PaperSession(watcher, self.clock, terms)

    def _opening(self, books: CarriedBooks | None) -> Opening:
        """What the books of the last run hold. A fill that a crash kept from being told is not there: it never was."""
        numbered = self.clock.wall_ms() * _NUMBERS_A_MS
        if books is None:
            return Opening(wallet=scaled(self.settings.paper.perp_cash), numbered=numbered)
        tokens = {
            one.market: {Leg.YES: int(one.yes), Leg.NO: int(one.no)} for one in books.positions if one.yes or one.no
        }
        perps = tuple(PerpBalance(one.market, one.qty, one.cost) for one in books.perps if one.qty)
        return Opening(tokens=tokens, wallet=books.perp_cash or 0, perps=perps, numbered=numbered)
