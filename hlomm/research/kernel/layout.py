"""What compiled code works on: flat arrays of a recording, and records of settings, state and orders.

Times are nanoseconds, prices, sizes and cash scaled by 1e-8, as everywhere; prices in YES space unless said otherwise.
-1 stands for no price, `NEVER` for no time. Bids have place 0 and asks place 1 wherever there is one of each.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import numpy as np


def fixed(value: int) -> int:
    """A number that compiled code takes for one of many: of Python's own it makes a function for every value."""
    return cast("int", np.int64(value))


NEVER: Final = 1 << 62
NOTHING, NONE = fixed(0), fixed(-1)
NOT_SO, SO = fixed(0), fixed(1)
"""False and true, where they are handed on."""
BID, ASK = fixed(0), fixed(1)
YES, NO = fixed(0), fixed(1)
"""As `Leg`."""
BUY, SELL = fixed(1), fixed(-1)
"""As `Side`."""

# States of an order in the engine's books; of a finished one nothing is kept.
PENDING_NEW, OPEN, PENDING_AMEND, PENDING_CANCEL, UNKNOWN = 1, 2, 3, 4, 5

# News that the engine is told of what it asked for.
OPENED, CLOSED, REJECTED, AMEND_FAILED, CANCEL_FAILED, FILL, ANSWER, MERGED, MERGE_FAILED = map(fixed, range(1, 10))

# Requests, numbered in the order in which those of one turn are sent.
CANCEL, MERGE, AMEND, PLACE, QUERY = map(fixed, range(1, 6))

FILLED = fixed(16)
"""A fill in the log, beside the numbers of requests."""
QUEUED_MAX: Final = 64
"""Requests, and news, that may be on their way at a time."""
REJECTS_KEPT: Final = 64
RECENT_IDS: Final = 64

# Why a set is left to the engine itself .
HALTS, SURPRISE, CROWDED, OVERFLOW, STRANGE, HEDGED = 1, 2, 4, 8, 16, 32
REASONS: Final = {
    HALTS: "a loss or a drawdown may reach a limit that stops it",
    SURPRISE: "a position comes to the share of limits.max_position at which it is sold",
    CROWDED: "it may send as much in a minute as [budget] slows down for",
    OVERFLOW: "more is on its way at a time than there is room for",
    STRANGE: "an order came into a state that is not modelled",
    HEDGED: "pairs are merged beside a position that [hedge] looks at (never with hedge.enabled=false)",
}


def _record(integers: str, floats: str, **parts: np.dtype[Any]) -> np.dtype[Any]:
    fields: list[Any] = [(name, np.int64) for name in integers.split()]
    return np.dtype(fields + [(name, np.float64) for name in floats.split()] + list(parts.items()))


# Columns of a book, for bids; that for asks follows. The level of `COUNTS` is the one at which the microprice looks.
FIRST, END, COUNTS, COUNTS_PX, BEST, BEST_QTY, SECOND = range(0, 14, 2)
BOOK_COLUMNS: Final = 14
MARKED: Final = _record("number stirs sampled book book_ns mid2 perp_ns mark mark_ns", "")
"""An event that did more than say that something has not moved, and all that is known then. `stirs`: 1 if the book
changed, 2 if a price of the perp did, 0 if nothing is decided on it; `sampled`: the paths take a point; `book`: number
of the book, -1 before the first; `mid2`: twice the perp's mid, -1 without a two-sided book; `*_ns`: when a book or the
mark was last heard of."""
BOOK_HEARD, PERP_HEARD, MARK_HEARD = 1, 2, 3
HAPPENED: Final = _record("trade next_trade shown px qty told", "")
"""What happens at the venue. `trade`: 0 for a snapshot, else the side that was hit, 1 bids, -1 asks; `next_trade`:
number of the first trade from here on, as many as there are rows for none; `shown`: number of the snapshot then in
force; `told`: when the engine learns of it."""


class Tape(NamedTuple):
    """One recording. What every set reads lies together and in the order of time: waiting for memory costs most."""

    at: Any
    """[event]: when the engine is told."""
    heard: Any
    """[event]: of what it tells, `BOOK_HEARD` or the like; 0 for none, and where it is marked."""
    heard_ns: Any
    """[event]: since when that is known, therefore."""
    marked: Any
    """In their order: between them only timers and news decide. The last is none, numbered as the next event were."""
    books: Any
    """[book]: pairs for bids and asks, in columns `FIRST` and the like."""
    levels: Any
    """[level]: (price, size)."""
    values: Any
    """[book]: (price, spread, mid, z, standard deviation of z) with nothing of ours taken out; NaN for none."""
    venue_at: Any
    """[row]: when it happens."""
    venue: Any
    shown: Any
    """[snapshot]: first level of bids and asks, end of either."""
    depth: Any
    """[level]: (price, size)."""


SETTINGS: Final = _record(
    # the recording
    "start_ns end_ns expiry_ns settles above tick lot min_notional min_qty close_maker open_maker settle_fee cash "
    "entry_ns response_ns "
    # limits
    "max_position max_loss max_order_notional max_gross max_open_orders stale_ns one_sided max_fair_deviation "
    "max_resting flatten_from widen_from pause_from reduce_from widen_factor reduce_at_touch "
    # cadence
    "min_move min_interval_ns refresh_ns refresh_share refresh_max_ns drain_ns query_retry_ns answer_ns "
    "reject_window_ns reject_limit reject_pause_ns sets treasury_ns sets_least hedges hedge_tau_ns weight_per_min "
    # the strategy
    "model follows",
    "drawdown_share equity_stop daily_loss max_drawdown min_size_change strike gamma liquidity glft_slope lot_size "
    "holding_s max_half min_half "
    "pull_ratio root_reaction kelly_fraction max_size min_size size_scale stretch requote_share max_underlying_age_ns "
    "vol_annual vol_rate m_var vol_prior_s vol_halflife_s sample_s nu_prior_s nu_halflife_s follow_s noise "
    "vol_error relax_s apart_s "
    "size_floor max_spread",
)
EWMA: Final = _record("", "start_s start end_s end n d n_committed d_committed")
"""Of `EwmaVariance`: the interval under way, and both sums with it and without."""
STATE: Final = _record(
    "now wake dirty beyond book_ns mid2 perp_ns mark mark_ns "
    "cash yes no cost_yes cost_no realised fees volume fills mark_bid mark_ask ref2 equity "
    "high_water max_drawdown day day_start net_max version live t_refresh t_again t_treasury t_orders treasury_next "
    "merging merge_rest_ns merge_fee rejects resting_until next_id placed amends cancels minute sent sent_before "
    "fair tolerance marked book logged "
    # the venue's own books
    "v_cash v_yes v_no v_next v_oid requests news latest_news "
    # estimators
    "vol_cell nu_known nu_cell nu_book",
    "vol_last nu_last_s nu_last_p nu_expiry_s gap gap_stood gap_last_s m m_var m_last_s",
    vol=EWMA, nu=EWMA,
)  # fmt: skip
ORDER: Final = _record(
    "id state leg side px leaves filled oid amend_px amend_qty cancel_ns asked asked_ns sent_ns "
    # of the side, whatever rests: last action, and what the gate last refused
    "acted_ns restrained asked_px wish_px wish_qty refused refused_ns refused_leg refused_px refused_qty "
    "refused_version refused_cash",
    "",
)
RESTING: Final = _record("id oid leg side px yes_px left filled seen", "ahead remaining")
"""`seen`: number of the first row of the venue's tape that `ahead` does not know of yet."""
LOGGED: Final = 9
"""(time, kind, number of the order, leg, side, own-coin price, size, fee, cash then) of one decision or fill."""


class Work(NamedTuple):
    """Memory of one run: none of it is ever made anew."""

    orders: Any
    resting: Any
    requests: Any
    """(arrival, kind, side of the book, id, leg, side, price, size)."""
    news: Any
    """(arrival, kind, side of the book, id, venue's id, a, b, c): what a, b and c are, its kind says."""
    latest: Any
    """[(id, when its last news comes)]."""
    rejects: Any
    out: Any
    """Requests of the turn under way."""
    log: Any
    """Rows of `LOGGED`; none where nobody wants them."""


def records(count: int, kind: np.dtype[Any]) -> Any:
    """Zeroed records whose fields are attributes."""
    return np.zeros(count, kind).view(np.recarray)


def work(rows: int = 0) -> Work:
    """Memory for one run at a time, with room for so many rows of log."""
    return Work(
        orders=records(2, ORDER), resting=records(2, RESTING), requests=np.zeros((QUEUED_MAX, 8), np.int64),
        news=np.zeros((QUEUED_MAX, 8), np.int64), latest=np.zeros((RECENT_IDS, 2), np.int64),
        rejects=np.zeros(REJECTS_KEPT, np.int64), out=np.zeros((QUEUED_MAX, 8), np.int64),
        log=np.zeros((rows, LOGGED), np.int64),
    )  # fmt: skip
