"""What a limit of the gate answers: how much of an order it has room for, and the figures behind that.

The words are made by whoever needs them. Some ten limits are asked about every order and hardly ever decides one, so
sentences made beforehand cost more than all the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable

Numbers = Callable[[], str]
"""The figures behind a limit, in words; asked for before anything changes."""
Room = tuple[int, str, Numbers]
"""(largest quantity allowed, name of the limit, its numbers)."""
