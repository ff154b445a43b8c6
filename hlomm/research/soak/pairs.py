"""What became of every pair that was begun, and that none of them is left on one leg.

Which orders belong together is the engine's own book-keeping; what they traded is the exchanges' word. A pair whose
legs are unequal is naked. It may be so for its deadline and what it takes to find out and to sell; after that it must
be in the hands of a walk to flat, of a guardian, or of an operator who was told. Time during which a venue of it could
not be traded at (away, paused) does not count: nobody could have done anything there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from hlomm.domain.ids import ClientId, VenueId
from hlomm.domain.inputs import GuardianDown, GuardianUp
from hlomm.domain.orders import OrderRequest, Purpose
from hlomm.domain.outputs import Alert, HaltState, Output, PlaceOrders
from hlomm.domain.units import to_text
from hlomm.engine.basket import BasketState, Phase
from hlomm.engine.state import State
from hlomm.research.soak.beside.door import Door
from hlomm.research.soak.front import Front
from hlomm.research.soak.network import Network
from hlomm.research.soak.process import Process
from hlomm.research.soak.timeline import S, Timeline
from hlomm.research.soak.weather import Fault, Weather
from hlomm.settings.schema import Settings

LOOK_S: Final = 2.0
FOUND_OUT_S: Final = 25.0
"""Until a fill that no stream told is in an account that is read anyway, and believed."""
TOLD: Final = frozenset({"basket_abandoned", "basket_unwound", "basket_dropped", "danger"})


@attrs.define(eq=False)
class Intent:
    """One pair from its first order to its end."""

    basket: BasketState
    process: Process
    naked_ns: int = 0
    """How long its legs have been unequal, as far as somebody could have done something."""
    end: str = ""
    """`abandoned` while a walk is to come."""
    told: bool = False


class Pairs:
    """Sees every decision, and looks every few seconds while a pair is under way."""

    def __init__(
        self, timeline: Timeline, weather: Weather, rng: random.Random, front: Front, doors: Mapping[VenueId, Door],
        networks: Mapping[VenueId, Network], settings: Settings,
    ) -> None:  # fmt: skip
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self._front = front
        self._doors = doors
        self._networks = networks
        rules = settings.flatten
        self._patience_ns = round(
            S
            * (
                settings.strategy.cross_venue.deadline_s
                + settings.orders.answer_deadline_s + settings.orders.settle_doubt_s  # the fate of an order is unknown
                + FOUND_OUT_S
                + 2 * rules.attempts * max(rules.retry_s, 1.0) + rules.deadline_s
            )
        )  # fmt: skip
        self.found: Callable[[str, str], None] = lambda _rule, _what: None
        self.open: list[Intent] = []
        self.ends: dict[str, int] = {}
        """Of those that are over: `done` (complete), `none` (nothing traded), `unwound` (sold back), `flattened` (by a
        walk or a guardian), `kept` (told, and left: too small to be sold, or its market has ended), `naked`."""
        self.wanted = 0
        self.begun = 0
        self.mismatched = 0
        self.longest_ns = 0
        """Longest time that legs were unequal."""
        self.abandoned = 0
        self._known: set[int] = set()
        self._baskets: list[BasketState] = []
        self._signal: object = None
        self._looking = False
        self._mismatched: tuple[Process | None, int] = (None, 0)

    # -- at the pump

    def decided(self, process: Process, outputs: Sequence[Output]) -> None:
        state = process.engine.state
        self._signals(state)
        if state.pairs.mismatched:
            self._count_mismatches(process, state.pairs.mismatched)
        legs = [order for output in outputs for order in _legs(output)]
        if legs:
            self._entered(process, state)
            self._deaths(process)
        if self.open:
            told = any(isinstance(output, Alert) and output.code in TOLD for output in outputs)
            for intent in list(self.open):
                intent.told |= told and intent.process is process
                self._ended_by_itself(intent)

    def _signals(self, state: State) -> None:
        signals = state.pairs.signals
        if signals and signals[-1] is not self._signal:
            for one in reversed(signals):
                if one is self._signal:
                    break
                self.wanted += 1
            self._signal = signals[-1]

    def _count_mismatches(self, process: Process, mismatched: int) -> None:
        known, count = self._mismatched
        self.mismatched += mismatched - (count if known is process else 0)
        self._mismatched = (process, mismatched)

    def _entered(self, process: Process, state: State) -> None:
        for known in state.baskets.by_group.values():
            basket = known.basket
            if basket is not None and basket.pair and id(basket) not in self._known:
                self._known.add(id(basket))
                self._baskets.append(basket)  # or its id might be another one's one day
                self.begun += 1
                self.open.append(Intent(basket, process))
        if self.open and not self._looking:
            self._looking = True
            self._timeline.after(round(LOOK_S * S), self._look)

    def _deaths(self, process: Process) -> None:
        """A daemon or its guardian dies in some phase of a pair."""
        if self._weather.take(Fault.DEATH_MID_PAIR) is not None:
            delay_s = self._rng.choice((0.05, 0.3, 2.0, 12.0)) * self._rng.uniform(0.5, 1.5)
            self._timeline.after(round(delay_s * S), process.die)
        if self._weather.take(Fault.GUARDIAN_DEATH_MID_PAIR) is not None:
            feed = process.inside.mine(process.feed)
            self._timeline.after(round(self._rng.uniform(0.05, 2.0) * S), lambda: feed([GuardianDown("it ended")]))
            self._timeline.after(round(self._rng.uniform(3.0, 8.0) * S), lambda: feed([GuardianUp()]))

    # -- looking on

    def _look(self) -> None:
        for intent in list(self.open):
            self._naked(intent)
            self._ended_by_itself(intent)
        self._looking = bool(self.open)
        if self._looking:
            self._timeline.after(round(LOOK_S * S), self._look)

    def _naked(self, intent: Intent) -> None:
        held = self.held(intent.basket)
        if min(held) == max(held):
            intent.naked_ns = 0
            return
        process = intent.process
        handed_over = intent.basket.phase is Phase.DROPPED or not process.alive or process.left
        if handed_over or process.halt is not HaltState.RUNNING or not self._tradable(intent):
            return  # a walk or a guardian has it, and their own deadlines are watched where they act
        intent.naked_ns += round(LOOK_S * S)
        self.longest_ns = max(self.longest_ns, intent.naked_ns)
        if intent.naked_ns > self._patience_ns and not (intent.told and intent.basket.phase is Phase.ABANDONED):
            legs = ", ".join(to_text(qty) for qty in held)
            self.found(
                "naked", f"{intent.basket.group}: legs {legs} for {intent.naked_ns / S:.0f} s, "
                f"{intent.basket.phase.value} ({intent.basket.note})"
            )  # fmt: skip
            self._close(intent, "naked")

    def held(self, basket: BasketState) -> list[int]:
        """Tokens of each leg by the word of the exchanges; a complement that was bought counts as a sale."""
        return [
            sum(
                self._traded(order.client_id, order.market) * (1 if order.direction == of.direction else -1)
                for order in of.orders
            )
            for of in basket.legs
        ]

    def _traded(self, client_id: ClientId, market: str) -> int:
        door = self._doors.get(VenueId(market.partition(":")[0]))
        return (self._front.filled if door is None else door.filled).get(client_id, 0)

    def _tradable(self, intent: Intent) -> bool:
        """Whether all its venues can be reached and take orders."""
        for venue in intent.basket.venues:
            door = self._doors.get(venue)
            if self._networks[venue].cut or (door is not None and door.pause_left_s):
                return False
            if not intent.process.desks[venue].up:
                return False
        return True

    # -- ends

    def _ended_by_itself(self, intent: Intent) -> None:
        basket, process = intent.basket, intent.process
        if not process.alive:
            return  # what the guardian makes of it is told with `over`
        running = process.halt is HaltState.RUNNING
        held = self.held(basket)
        even = min(held) == max(held)
        if basket.phase is Phase.DONE and even:
            self._close(intent, "unwound" if basket.unwound else "done" if max(held) else "none")
        elif basket.phase is Phase.ABANDONED and not intent.end:
            self.abandoned += 1
            intent.end = "abandoned"
            if not intent.told:
                self.found("untold", f"{basket.group} was abandoned and nobody was told")
        elif basket.phase is Phase.DROPPED and (running or process.halt is HaltState.HALTED):
            self._close(intent, "flattened" if process.halt is HaltState.HALTED or even else "kept")
        elif basket.phase is Phase.ABANDONED and process.halt is HaltState.HALTED:
            self._close(intent, "flattened")
        elif basket.phase is Phase.ABANDONED and running and process.engine.state.baskets.stuck is None:
            self._close(intent, "kept")  # too small to be sold, as it says

    def over(self, process: Process) -> None:
        """The guardian, or the last look, has done with the accounts of a run."""
        for intent in list(self.open):
            if intent.process is process:
                self._close(intent, "flattened")

    def _close(self, intent: Intent, end: str) -> None:
        self.open.remove(intent)
        self.ends[end] = self.ends.get(end, 0) + 1

    def document(self) -> dict[str, int]:
        ends = self.ends
        return {
            "wanted": self.wanted, "begun": self.begun, "done": ends.get("done", 0), "unwound": ends.get("unwound", 0),
            "abandoned": self.abandoned, "flattened": ends.get("flattened", 0), "kept": ends.get("kept", 0),
            "none": ends.get("none", 0), "naked": ends.get("naked", 0), "open": len(self.open),
            "mismatched": self.mismatched,
        }  # fmt: skip


def _legs(output: Output) -> tuple[OrderRequest, ...]:
    if not isinstance(output, PlaceOrders):
        return ()
    return tuple(order for order in output.orders if order.purpose is Purpose.LEG)
