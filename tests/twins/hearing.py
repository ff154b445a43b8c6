"""Random frames of market and account, sound ones: by number, so that a difference can be repeated."""

from __future__ import annotations

import base64
import json
import random
import zlib
from collections.abc import Callable
from typing import Any, Final

PERPS: Final = ("BTC", "ETH", "kPEPE", "xyz:NVDA")
TOKENS: Final = ("USDC", "USDH", "HYPE")
USER: Final = "0x14791697260e4c9a71f18484c9f997b308e59325"
WORDS: Final = ("Buy", "Sell", "Open Long", "Settlement", "Split Outcome", "Merge Outcome", "Negate Outcome",
                "Merge Question")  # fmt: skip
_SCALE: Final = 10**8


class Frames:
    """Frames by number."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng = random.Random()
        self._kinds: dict[str, Callable[[], Any]] = {
            "l2Book": self._book, "bbo": self._bbo, "trades": self._trades, "activeAssetCtx": self._context,
            "fastAssetCtxs": self._contexts, "orderUpdates": self._orders, "userFills": self._fills,
            "spotState": self._balances, "post": self._post,
        }  # fmt: skip

    def frame(self, number: int) -> str:
        self._rng.seed(f"{self._seed}/{number}")
        channel = self._rng.choices(list(self._kinds), weights=(40, 15, 15, 5, 2, 8, 8, 3, 8))[0]
        return json.dumps({"channel": channel, "data": self._kinds[channel]()}, separators=(",", ":"))

    # -- channels

    def _book(self) -> Any:
        coin = self._coin()
        bids, asks = self._ladder(coin, self._rng.randrange(21), self._rng.randrange(21))
        return {"coin": coin, "time": self._ms(), "levels": [bids, asks]}

    def _bbo(self) -> Any:
        coin = self._coin()
        bids, asks = self._ladder(coin, self._rng.randrange(2), self._rng.randrange(2))
        return {"coin": coin, "time": self._ms(), "bbo": [bids[0] if bids else None, asks[0] if asks else None]}

    def _trades(self) -> Any:
        coin, rng = self._coin(), self._rng
        return [
            {
                "coin": coin, "side": rng.choice("AB"), "px": self._px(coin), "sz": self._size(), "time": self._ms(),
                "hash": "0x0", "tid": rng.randrange(2**50), "users": [USER, USER],
            }
            for _ in range(rng.randint(1, 5))
        ]  # fmt: skip

    def _context(self) -> Any:
        mark = self._px("BTC") if self._rng.random() < 0.9 else None
        return {"coin": self._rng.choice(PERPS), "ctx": {"markPx": mark, "funding": "0.0000125"}}

    def _contexts(self) -> str:
        told = {coin: {"markPx": self._px("BTC")} for coin in self._rng.sample(PERPS, self._rng.randint(1, len(PERPS)))}
        return base64.b64encode(zlib.compress(json.dumps(told).encode(), wbits=-15)).decode()

    def _orders(self) -> Any:
        rng, rows = self._rng, []
        for _ in range(rng.randint(1, 4)):
            coin, whole = self._coin(), rng.randrange(1, 10**12)
            order = {
                "coin": coin, "side": rng.choice("AB"), "limitPx": self._px(coin),
                "sz": self._spelt(rng.randint(0, whole)), "oid": self._oid(), "timestamp": self._ms(),
                "origSz": self._spelt(whole), **self._cloid(),
            }  # fmt: skip
            rows.append({"order": order, "status": rng.choice(("open", "filled", "canceled")),
                         "statusTimestamp": self._ms()})  # fmt: skip
        return rows

    def _fills(self) -> Any:
        rng, rows = self._rng, []
        for _ in range(rng.randint(1, 4)):
            coin = self._coin()
            fee_token = f"+{coin[1:]}" if coin.startswith("#") and rng.random() < 0.3 else "USDC"
            rows.append({
                "coin": coin, "px": self._px(coin), "sz": self._size(), "side": rng.choice("AB"), "time": self._ms(),
                "startPosition": self._spelt(rng.randrange(-(10**10), 10**10)), "dir": rng.choice(WORDS),
                "closedPnl": "0.0", "hash": "0x0", "oid": self._oid(), "crossed": rng.random() < 0.5,
                "fee": self._spelt(rng.randrange(-(10**6), 10**8)), "tid": rng.choice((0, rng.randrange(2**50))),
                "feeToken": fee_token, "twapId": None, **self._cloid(),
            })  # fmt: skip
        return {"isSnapshot": rng.random() < 0.2, "user": USER, "fills": rows}

    def _balances(self) -> Any:
        rng = self._rng
        rows = [
            {"coin": coin, "total": self._long(), "hold": "0.0", "entryNtl": "0.0"}
            for coin in rng.sample(TOKENS, rng.randint(0, len(TOKENS)))
        ]
        for encoding in rng.sample(range(100), rng.randint(0, 4)):
            coin = f"+{9000 + 10 * (encoding // 2) + encoding % 2}"
            total = self._size() if rng.random() < 0.8 else "0.0"
            rows.append({"coin": coin, "total": total, "hold": "0.0", "entryNtl": self._long()})
        return {"user": USER, "spotState": {"balances": rows}}

    def _post(self) -> Any:
        rng = self._rng
        if rng.random() < 0.1:
            response: Any = {"type": "error", "payload": "429 too many requests"}
        elif rng.random() < 0.1:
            response = {"type": "action", "payload": {"status": "err", "response": "Must deposit first"}}
        else:
            statuses = [self._status() for _ in range(rng.randint(1, 40))]
            told = {"type": "order", "data": {"statuses": statuses}}
            response = {"type": "action", "payload": {"status": "ok", "response": told}}
        return {"id": rng.randrange(2**31), "response": response}

    def _status(self) -> Any:
        word = self._rng.choice(("success", "error", "resting", "filled"))
        if word == "success":
            return word
        if word == "error":
            return {word: "Order was never placed, already canceled, or filled. asset=1"}
        told: Any = {"oid": self._oid(), **self._cloid()}
        return {word: told | ({"totalSz": self._size(), "avgPx": "0.5"} if word == "filled" else {})}

    # -- what they are made of

    def _coin(self) -> str:
        rng = self._rng
        if rng.random() < 0.3:
            return rng.choice(PERPS)
        return f"#{10 * rng.choice((rng.randrange(1, 10_000), rng.randrange(1, 10**6))) + rng.randrange(2)}"

    def _ladder(self, coin: str, bids: int, asks: int) -> tuple[list[Any], list[Any]]:
        """Levels that move away from the touch, best first."""
        most = _SCALE if coin.startswith("#") else 10**7 * _SCALE
        count = bids + asks
        places = sorted(self._rng.sample(range(1, most), count)) if count else []
        rows = [{"px": self._spelt(place), "sz": self._size(), "n": 1} for place in places]
        return rows[:bids][::-1], rows[bids:]

    def _px(self, coin: str) -> str:
        step = 10 ** self._rng.randrange(6)
        most = _SCALE if coin.startswith("#") else 10**7 * _SCALE
        return self._spelt(self._rng.randrange(1, most // step) * step)

    def _size(self) -> str:
        return self._spelt(self._rng.choice((self._rng.randrange(1, 10**6) * _SCALE, self._rng.randrange(1, 10**15))))

    def _spelt(self, units: int) -> str:
        """As the venue prints: at least one decimal, sometimes more zeros than needed, sometimes none."""
        sign, whole, part = "-" if units < 0 else "", *divmod(abs(units), _SCALE)
        decimals = f"{part:08d}".rstrip("0")
        style = self._rng.random()
        if not decimals and style < 0.3:
            return f"{sign}{whole}"
        decimals = decimals or "0"
        return f"{sign}{whole}.{decimals.ljust(8, '0') if style > 0.9 else decimals}"

    def _long(self) -> str:
        """With more decimals than there are units: what the venue divides."""
        rng = self._rng
        return f"{rng.randrange(-(10**6), 10**7)}.{rng.randrange(10**12):012d}"

    def _oid(self) -> int:
        return self._rng.choice((self._rng.randrange(1, 2**32), self._rng.randrange(2**53)))

    def _cloid(self) -> dict[str, str]:
        rng = self._rng
        text = f"{rng.getrandbits(128):032x}"
        return {} if rng.random() < 0.2 else {"cloid": f"0x{text if rng.random() < 0.8 else text.upper()}"}

    def _ms(self) -> int:
        return 1_790_000_000_000 + self._rng.randrange(10**9)
