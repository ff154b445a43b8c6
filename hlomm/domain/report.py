"""What people and scripts are shown: values the engine and the daemon fill in, the link carries, the terminal draws.

Amounts stay scaled integers; whoever prints them chooses the decimals. Ages are seconds of venue time.
"""

from __future__ import annotations

import msgspec

from hlomm.domain.basket_rows import ArbitrageReport, BasketRow
from hlomm.domain.desk_rows import MarkoutRow, StrategyRow, TunedRow
from hlomm.domain.edge_rows import EdgeReport
from hlomm.domain.ids import ClientId, MarketId, VenueId
from hlomm.domain.inputs import Level
from hlomm.domain.latency_rows import QueueRow, StageRow
from hlomm.domain.link_rows import LinkRow
from hlomm.domain.markets import Leg, MarketKind
from hlomm.domain.orders import OrderState, Purpose, Side
from hlomm.domain.units import Cash, Px, Qty


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base: encoded as a map, so that fields can be added."""


class SideNote(Report, frozen=True):
    """Why a side of a market is quoted or not. `guard` is a stable word, `ok` when quoting."""

    guard: str
    detail: str = ""


class OwnQuote(Report, frozen=True):
    px: Px
    """YES space."""
    qty: Qty
    leg: Leg
    side: Side
    state: OrderState


class MarketRow(Report, frozen=True):
    id: MarketId
    ticker: str
    kind: MarketKind
    tau_s: float | None
    strike: Px | None = None
    period: str = ""
    """Series it belongs to (`3m`, `1d`): two series may list one strike and expiry under one name."""
    tick: Px = Px(1000)
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    book_age_s: float | None = None
    shape: str = ""
    fair: Px | None = None
    fair_source: str = ""
    own_bid: OwnQuote | None = None
    own_ask: OwnQuote | None = None
    yes: Qty = Qty(0)
    no: Qty = Qty(0)
    bid_note: SideNote | None = None
    ask_note: SideNote | None = None
    facts: tuple[tuple[str, str], ...] = ()
    strategy: str = ""
    settled: Px | None = None
    klass: str = ""
    underlying: str = ""
    deployer: str | None = None
    """Whose own market it is, None for the protocol's."""
    question: int | None = None
    quote_token: str = ""
    group: str = ""
    """What it may be bought in sets with: its question, or the event of which one contract pays."""


class PositionRow(Report, frozen=True):
    market: MarketId
    ticker: str
    yes: Qty
    """Of a perp the position itself: signed, negative for a short, and so are its cost and value."""
    no: Qty
    cost: Cash
    value: Cash
    """At the conservative mark: what selling into the best bids would bring at the touch."""
    realised: Cash
    fees: Cash
    settled: Px | None = None


class OrderRow(Report, frozen=True):
    client_id: ClientId
    market: MarketId
    ticker: str
    leg: Leg
    side: Side
    px: Px
    leaves: Qty
    filled: Qty
    state: OrderState
    purpose: Purpose
    age_s: float
    strategy: str = ""
    reason: str = ""
    """What made it, or what holds it where it is."""


class FillRow(Report, frozen=True):
    wall_ms: int
    market: MarketId
    ticker: str
    leg: Leg
    side: Side
    px: Px
    qty: Qty
    fee: Cash
    kind: str
    maker: bool
    edge: Px | None = None
    """Distance from fair value in our favour at the moment of the fill, YES space, signed."""
    markouts: tuple[Px | None, ...] = ()
    """What a trade of outcomes was worth after `MARKOUT_S` seconds each, per contract, positive in our favour; None
    until then, and for good where the market had no price of its own any more. See `hlomm.engine.markouts`."""


class Pnl(Report, frozen=True):
    """realised + unrealised - fees + rewards = total = spread + inventory + settlement - fees + rewards + rounding."""

    realised: Cash
    unrealised: Cash
    fees: Cash
    rewards: Cash
    total: Cash
    spread: Cash
    inventory: Cash
    settlement: Cash
    funding: Cash = Cash(0)
    """Funding of perps paid (negative: received), already inside `realised` and `inventory`."""
    hedge: Cash = Cash(0)
    """What perps brought, funding included and their fees not; already inside `inventory`."""
    rounding: Cash = Cash(0)
    """What the whole units of the books differ from the exact parts: with it the sum is the total to the last unit."""


class RiskCounts(Report, frozen=True):
    passed: int
    resized: int
    rejected: dict[str, int]


class VenueRow(Report, frozen=True):
    venue: VenueId
    session: str
    data_age_s: float | None
    open_orders: int
    ack_p50_ms: float | None = None
    skew_ms: int | None = None
    budget_used: int | None = None
    budget_cap: int | None = None
    budget_runway_min: int | None = None
    """Minutes until the actions are used up at the present churn; None while they do not get fewer."""
    budget_slow: str | None = None
    """Why quoting is slowed down."""
    reconnects: int = 0
    counters: dict[str, int] = {}
    fuse: str = "none"
    """Of its session: `ok`, `tripped: <rule and numbers>`, or `none`."""


class StrandedRow(Report, frozen=True):
    """What a total network loss would leave at a venue, and whether the venue would take it away."""

    venue: VenueId
    stranded: Cash
    cap: Cash
    """Holds while no dead-man is armed."""
    deadman_until_ms: int | None = None


class AccountRow(Report, frozen=True):
    """The books of one venue's account."""

    venue: VenueId
    cash: Cash
    cost: Cash
    """Of the tokens held."""
    realised: Cash
    fees: Cash
    free: Cash = Cash(0)
    """Cash that is there and that nothing has claimed."""
    reconciled: bool = True
    closed: str = ""
    """Why it takes no new orders, and until when."""


class ScenarioRow(Report, frozen=True):
    """What one underlying (or one outcome that no price decides) loses at one settlement; negative is a gain."""

    name: str
    at: Px | None
    """Settlement price; None where `name` says how it settles."""
    loss: Cash
    """With the worst combination of pending orders filled."""


class HedgeRow(Report, frozen=True):
    """One maintained hedge. `inside_ms` and `outside_ms`: how long it was within its band, and not."""

    market: MarketId
    held: Qty
    target: Qty
    band: Qty
    notional: Cash
    inside_ms: int
    outside_ms: int
    note: SideNote
    naked: Qty = Qty(0)
    """What is held of the perp though no contract is left that it hedges."""
    naked_ms: int = 0
    """How long that ever was so."""
    contracts: int = 0
    """How many it was held for."""


class SetRow(Report, frozen=True):
    """Complete sets of one market: how many pairs are held, and what the treasury is about to do."""

    market: MarketId
    ticker: str
    pairs: Qty
    note: SideNote
    converting: str = ""
    """Kind of the conversion that is under way, empty for none."""
    qty: Qty = Qty(0)
    """Of that conversion."""


class EngineReport(Report, frozen=True):
    """The engine's whole state for people, at one instant."""

    wall_ms: int
    state: str
    reason: str
    equity: Cash
    cash: Cash
    drawdown: Cash
    max_drawdown: Cash
    drawdown_limit: Cash
    gross: Cash
    gross_limit: Cash
    worst: Cash
    """Worst-case settlement loss of what is held now, per event and added up; perps at a stress move of their mark."""
    pnl: Pnl
    volume: Cash
    fills: int
    orders_placed: int
    amends: int
    cancels: int
    open_orders: int
    settlements: int
    rolls: int
    risk: RiskCounts
    markets: tuple[MarketRow, ...]
    positions: tuple[PositionRow, ...]
    orders: tuple[OrderRow, ...]
    recent_fills: tuple[FillRow, ...]
    budget: dict[str, tuple[int, int]]
    foreign_orders: int
    anomalies: dict[str, int]
    invariant_breaks: int
    paused: tuple[str, ...] = ()
    settlements_held: int = 0
    quoted: int = 0
    """Contracts in which a quote was ever sent."""
    quoted_settled: int = 0
    """Those of them that settled."""
    perp_cash: Cash = Cash(0)
    """The perp wallet; `cash` is the collateral of outcomes."""
    ladder: str = ""
    """`normal`, `warning`, `critical` or `halt`, see `hlomm.engine.ladder`."""
    ladder_reasons: tuple[str, ...] = ()
    breakers: dict[str, int] = {}
    """How often each breaker acted in this run."""
    stranded: tuple[StrandedRow, ...] = ()
    hedges: tuple[HedgeRow, ...] = ()
    baskets: tuple[BasketRow, ...] = ()
    basket_counts: dict[str, int] = {}
    """Baskets `started` in this run, and how they ended: `done` (some of them `mended` or `unwound`, or `reopened` by a
    fill that came late), `abandoned`, `dropped`."""
    arbitrage: ArbitrageReport = ArbitrageReport()
    edges: EdgeReport = EdgeReport()
    """Empty where nobody looks."""
    scenarios: tuple[ScenarioRow, ...] = ()
    worst_loss: Cash = Cash(0)
    """Over everything held, pending and hedged, nothing netted between underlyings."""
    loss_limit: Cash = Cash(0)
    """Of `worst_loss`. Of this and the next three, 0 is for a daemon that does not say."""
    underlying_loss_limit: Cash = Cash(0)
    event_loss_limit: Cash = Cash(0)
    hedge_limit: Cash = Cash(0)
    """Of the notional of one hedge."""
    accounts: tuple[AccountRow, ...] = ()
    """One for every venue whose books are open."""
    sets: tuple[SetRow, ...] = ()
    converted: dict[str, Qty] = {}
    """Contracts converted in this run, by kind."""
    links: tuple[LinkRow, ...] = ()
    links_left_out: int = 0
    """Links of which no row is shown because there are too many."""
    tuned: tuple[TunedRow, ...] = ()
    strategies: tuple[StrategyRow, ...] = ()
    markouts: tuple[MarkoutRow, ...] = ()
    left_out: dict[str, int] = {}
    """Rows that are not shown because the picture would not fit a frame, by the table (`markets`, ...) they are of."""


class AlertRow(Report, frozen=True):
    wall_ms: int
    level: str
    code: str
    text: str


class AuditRow(Report, frozen=True):
    """One link of the chain of operator actions, on disk by now."""

    n: int
    at_ms: int
    action: str
    who: str
    """Uid and name as the kernel tells them, and where the person sat."""
    reason: str = ""
    target: str = ""
    result: str = ""
    """The halt state that followed, or the refusal."""


class GuardianRow(Report, frozen=True):
    """The process that acts when the daemon no longer can."""

    state: str = "disabled"
    """`up`, `down` or `disabled`."""
    reason: str = ""
    """Why it is down."""
    pid: int | None = None
    answer_age_s: float | None = None
    """Since its last answer to a beat, host seconds."""
    restarts: int = 0


class Snapshot(Report, frozen=True):
    """Everything the daemon shows, at one instant."""

    profile: str
    version: str
    pid: int
    uptime_s: float
    armed: Cash
    """Notional the operator armed the daemon with; 0 in simulation."""
    engine: EngineReport
    venues: tuple[VenueRow, ...]
    alerts: tuple[AlertRow, ...]
    pnl_curve: tuple[tuple[int, Cash], ...] = ()
    """(wall_ms, total PnL), oldest first, thinned as it grows."""
    latency_p50_us: float | None = None
    latency_p99_us: float | None = None
    journal: str = ""
    journal_records: int = 0
    guardian: GuardianRow = GuardianRow()
    audit: tuple[AuditRow, ...] = ()
    """The last links of the chain, oldest first; an action appears within about a second of its being taken."""
    stages: tuple[StageRow, ...] = ()
    queues: tuple[QueueRow, ...] = ()
    fill_model: str = ""
    """Tag of the model that fills our orders; empty: the venue does."""
    cpus: tuple[int, ...] = ()
    """Processors that the event loop keeps to; empty: the scheduler chooses."""
