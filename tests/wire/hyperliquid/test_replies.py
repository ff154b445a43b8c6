"""Answers to actions, and the three ways a batch can be answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hlomm.domain.units import parse
from hlomm.venues.hyperliquid.wire.replies import (
    Accepted,
    ActionRefused,
    Done,
    ExchangeReply,
    Filled,
    Refused,
    Rested,
    Waiting,
    decode_exchange,
    expand,
)


def reply_of(value: Any) -> ExchangeReply | None:
    reply, anomalies = decode_exchange(json.dumps(value).encode())
    assert anomalies == ()
    return reply


def kinds_of(value: Any) -> list[str]:
    reply, anomalies = decode_exchange(json.dumps(value).encode())
    assert reply is None
    return [one.kind for one in anomalies]


def ok(*statuses: Any, kind: str = "order") -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": list(statuses)}}}


def test_a_mixed_batch_keeps_its_order() -> None:
    reply = reply_of(
        ok(
            {"resting": {"oid": 5, "cloid": "0xAB"}},
            {"filled": {"totalSz": "20.0", "avgPx": "0.45", "oid": 6}},
            {"error": "Order has zero size."},
            "success",
            "waitingForTrigger",
        )
    )
    assert reply == Accepted(
        "order",
        (
            Rested("5", "0xab"),  # type: ignore[arg-type]
            Filled("6", None, parse("20")),  # type: ignore[arg-type]
            Refused("Order has zero size."),
            Done(),
            Waiting("waitingForTrigger"),
        ),
    )


def test_errors_win_over_what_stands_beside_them() -> None:
    assert reply_of(ok({"error": "no", "resting": {"oid": 5}})) == Accepted("order", (Refused("no"),))


@pytest.mark.parametrize(
    "response", [{"type": "default"}, {"type": "order", "data": {}}, {"type": "x", "data": {"status": {}}}]
)
def test_replies_without_statuses_have_none(response: Any) -> None:
    reply = reply_of({"status": "ok", "response": response})
    assert isinstance(reply, Accepted)
    assert reply.statuses == ()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "exchange.schema"),
        ([], "exchange.schema"),
        ("ok", "exchange.schema"),
        ({}, "exchange.schema"),
        ({"status": "OK", "response": {"type": "default"}}, "exchange.status"),
        ({"status": "ok"}, "exchange.schema"),
        ({"status": "ok", "response": None}, "exchange.schema"),
        ({"status": "err", "response": {"a": 1}}, "exchange.schema"),
        ({"status": "err", "response": "x" * 2_001}, "exchange.schema"),
        (ok({}), "exchange.status"),
        (ok({"resting": {}}), "exchange.schema"),
        (ok({"resting": {"oid": "5"}}), "exchange.schema"),
        (ok({"resting": {"oid": -5}}), "exchange.schema"),
        (ok({"filled": {"oid": 5, "totalSz": "-1"}}), "exchange.size"),
        (ok({"filled": {"oid": 5, "totalSz": "NaN"}}), "exchange.size"),
        (ok({"filled": {"oid": 5, "totalSz": 1}}), "exchange.schema"),
        (ok(5), "exchange.schema"),
        (ok(["success"]), "exchange.schema"),
        ({"status": "ok", "response": {"type": "order", "data": {"statuses": {}}}}, "exchange.schema"),
    ],
)
def test_replies_of_another_shape_are_refused(value: Any, kind: str) -> None:
    assert kinds_of(value) == [kind]


@pytest.mark.parametrize("body", [b"", b"null", b"<html>502 Bad Gateway</html>", b"\xff", b"{", b"[" * 100_000])
def test_bodies_that_are_no_reply_are_refused(body: bytes) -> None:
    reply, anomalies = decode_exchange(body)
    assert reply is None
    assert [one.kind for one in anomalies] == ["exchange.schema"]


def test_one_error_for_a_batch_is_everybodys_error() -> None:
    error = Refused("Price must be divisible by tick size. asset=100009000")
    assert expand((error,), 3) == (error, error, error)


@pytest.mark.parametrize("count", [1, 2, 39])
def test_one_status_each_is_taken_as_it_is(count: int) -> None:
    statuses = (Done(),) * count
    assert expand(statuses, count) == statuses


@pytest.mark.parametrize(
    ("statuses", "count"),
    [((), 1), ((Done(),), 2), ((Done(), Done()), 1), ((Refused("a"), Refused("b")), 3), ((Waiting("x"),), 2)],
)
def test_answers_that_do_not_fit_the_question_are_no_answers(statuses: Any, count: int) -> None:
    assert expand(statuses, count) is None


def test_an_unknown_action_refusal_keeps_its_text() -> None:
    assert reply_of({"status": "err", "response": "Something new."}) == ActionRefused("Something new.")
