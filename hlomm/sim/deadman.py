"""The venue's dead man: `scheduleCancel`, with its volume gate and daily limit (venue sheet 4.1)."""

from __future__ import annotations

from typing import Final

from hlomm.domain.units import SCALE, to_text
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.config import RulesConfig
from hlomm.sim.refusals import WholeActionRefused

_LEAD_MS: Final = 5_000
_DAY_MS: Final = 86_400_000


class DeadMan:
    """Armed accounts and how often each one's schedule fired today."""

    def __init__(self, rules: RulesConfig) -> None:
        self._rules = rules
        self._armed: dict[str, int] = {}
        self._fired: dict[str, tuple[int, int]] = {}

    def arm(self, account: Account, time_ms: int | None, now_ms: int) -> None:
        """Arm, move or (None) remove; WholeActionRefused below the volume gate, too soon, or too often."""
        required = self._rules.schedule_cancel_volume_usd
        if account.volume < required * SCALE:
            raise WholeActionRefused(refusals.schedule_volume(required, to_text(account.volume)))
        if time_ms is None:
            self._armed.pop(account.address, None)
            return
        if time_ms < now_ms + _LEAD_MS:
            raise WholeActionRefused(refusals.SCHEDULE_TOO_SOON)
        day, count = self._fired.get(account.address, (0, 0))
        if day == now_ms // _DAY_MS and count >= self._rules.schedule_cancel_daily:
            raise WholeActionRefused(refusals.schedule_daily(self._rules.schedule_cancel_daily))
        self._armed[account.address] = time_ms

    def due(self, now_ms: int) -> list[str]:
        """Addresses whose orders are to be cancelled now; each fires once."""
        due = [address for address, time_ms in self._armed.items() if time_ms <= now_ms]
        today = now_ms // _DAY_MS
        for address in due:
            del self._armed[address]
            day, count = self._fired.get(address, (today, 0))
            self._fired[address] = (today, count + 1 if day == today else 1)
        return due
