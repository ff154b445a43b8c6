"""What a session beside Hyperliquid is told to do: orders and cancels on their way out, and questions about them."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import (
    AmendFailed,
    ConversionFailed,
    Input,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.orders import CancelRequest, OrderRequest
from hlomm.domain.outputs import (
    AmendOrders,
    CancelOrders,
    ConvertSet,
    Output,
    PlaceOrders,
    QueryAccount,
    QueryOrder,
    Subscribe,
    Unsubscribe,
)
from hlomm.research.soak.beside.door import Answer, Ask
from hlomm.research.soak.beside.session import Session, Steps, Turn
from hlomm.research.soak.network import REQUEST_DEADLINE_S, Failure
from hlomm.research.soak.timeline import S

QUESTION_ATTEMPTS: Final = 5
QUESTION_PAUSE_S: Final = 1.5


class Desk(Session):
    """`late_s`: when an order that was given up may still arrive."""

    late_s: tuple[float, float]

    @abstractmethod
    def _prepare(self, request: OrderRequest) -> Ask | list[Input]:
        """The order as it leaves, or why it cannot."""

    @abstractmethod
    def _answered(self, ask: Ask, answer: Answer) -> list[Input]: ...

    @abstractmethod
    def _unsent(self, ask: Ask) -> None:
        """It certainly never left."""

    @abstractmethod
    def _cancel(self, request: CancelRequest) -> Steps:
        """Ends with the inputs that tell what became of it."""

    @abstractmethod
    def _look_up(self, client_id: ClientId) -> Steps:
        """Ends when the fate of an order was told, or is not to be had."""

    # -- outputs

    def submit(self, output: Output) -> None:
        """Carry out one output; what comes of it arrives as inputs, later."""
        match output:
            case PlaceOrders():
                self._screen(output)
            case AmendOrders():
                text = "not amended here: cancel and place"
                amends = output.amends
                self._in.say([AmendFailed(client_id=one.client_id, code="no_amend", text=text) for one in amends])
            case ConvertSet():
                text = "nothing is converted here"
                self._in.say([ConversionFailed(action=output.action, market=output.market, text=text)])
            case CancelOrders():
                for one in output.cancels:
                    self._in_turn(one.client_id, lambda over, one=one: self._send_cancel(one, over))  # type: ignore[misc]
            case QueryOrder():
                self._ask(output.client_id)
            case QueryAccount():
                self._ask_account()
            case Subscribe():
                self._subscribed[output.market] = None
                self._in.after(0.2, lambda: self.publish_book(output.market))
            case Unsubscribe():
                self._subscribed.pop(output.market, None)
            case _:
                raise AssertionError(f"not for a venue: {output!r}")

    def _screen(self, output: PlaceOrders) -> None:
        passed, news = self.fuse.screen(output, self._in.timeline.now_ns)
        self._in.say(news)
        if news and self.fuse.tripped is not None:
            self.fuse.told = True
        for request in passed.orders if isinstance(passed, PlaceOrders) else ():
            ask = self._prepare(request)
            if isinstance(ask, Ask):
                self._in_turn(request.client_id, lambda over, ask=ask: self._send(ask, over))  # type: ignore[misc]
            else:
                self._in.say(ask)

    def _in_turn(self, client_id: ClientId, turn: Turn) -> None:
        """Requests about one order follow one another."""
        waiting = self._turns.setdefault(client_id, deque())
        waiting.append(turn)
        if len(waiting) == 1:
            turn(lambda: self._over(client_id))

    def _over(self, client_id: ClientId) -> None:
        waiting = self._turns[client_id]
        waiting.popleft()
        if waiting:
            waiting[0](lambda: self._over(client_id))
        else:
            del self._turns[client_id]

    def under_way(self, client_id: ClientId) -> bool:
        return client_id in self._turns

    def _send(self, ask: Ask, over: Callable[[], None]) -> None:
        """One order by request; whatever spoils it, exactly one end is told."""
        self.busy()
        own, client_id = self.door.own, ask.request.client_id

        def done(result: Answer | Failure) -> None:
            over()
            if result is Failure.NOT_SENT:
                self._unsent(ask)
                self._in.emit([SendRefused((client_id,), SentAction.PLACE, result.value)])
            elif isinstance(result, Failure):
                self._in.emit([SendLost((client_id,), SentAction.PLACE, result.value)])
            else:
                self._in.emit(self._answered(ask, result))

        if self._in.network.cut:
            self._in.request(lambda: None, done)
            return
        late = self._weather.take(own.arrives_late)
        if late is None and self._weather.take(own.answer_lost) is None:
            self._in.request(lambda: self.door.place(ask), done)
            return
        low, high = self.late_s if late is not None else (0.05, 0.3)
        self._in.network.later(round(self._in.rng.uniform(low, high) * S), lambda: _ignore(self.door.place(ask)))
        self._in.after(REQUEST_DEADLINE_S, lambda: done(Failure.LOST))

    def _send_cancel(self, request: CancelRequest, over: Callable[[], None]) -> None:
        def done(result: Any) -> None:
            over()
            if result is Failure.NOT_SENT:
                self._in.emit([SendRefused((request.client_id,), SentAction.CANCEL, result.value)])
            elif isinstance(result, Failure):
                self._in.emit([SendLost((request.client_id,), SentAction.CANCEL, result.value)])
            else:
                self._in.emit(result)

        self.busy()
        self._do(self._cancel(request), done)

    # -- questions

    def _ask(self, client_id: ClientId) -> None:
        """One question per order at a time."""
        if client_id not in self._asking:
            self._asking.add(client_id)
            self._try_question(client_id, QUESTION_ATTEMPTS)

    def _try_question(self, client_id: ClientId, tries: int) -> None:
        def done(result: Any) -> None:
            if isinstance(result, Failure) and tries > 1:
                self._in.after(QUESTION_PAUSE_S, lambda: self._try_question(client_id, tries - 1))
            else:
                self._asking.discard(client_id)

        self._do(self._look_up(client_id), done)

    def _ask_account(self, tries: int = QUESTION_ATTEMPTS) -> None:
        def done(result: Any) -> None:
            if isinstance(result, Failure) and tries > 1:
                self._in.after(QUESTION_PAUSE_S, lambda: self._ask_account(tries - 1))

        self._read(done)


def _ignore(_result: object) -> None:
    """Carried out; nobody waits for the answer."""
