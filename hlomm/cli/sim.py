"""`hlomm sim`."""

from __future__ import annotations

import sys

import attrs
import click
import msgspec
import trio

from hlomm.domain.faults import UsageError
from hlomm.sim.app import serve
from hlomm.sim.config import VENUES, SimConfig, SimOptions
from hlomm.sim.contracts import period_ns


@attrs.frozen(kw_only=True)
class Series:
    """What is listed, as the command line says it: periods with commas, nothing for none."""

    periods: str
    buckets: str
    templates: str


def sim_command(
    *, venues: str, seed: int, speed: float, linger_s: float | None, first_expiry_s: float, series: Series,
    dislocations: bool, as_json: bool,
) -> None:  # fmt: skip
    names = _names(venues)
    unknown = [name for name in names if name not in VENUES]
    if unknown or not names:
        raise UsageError(f"no simulated venue {', '.join(unknown) or '(none given)'}; there are: {', '.join(VENUES)}")
    config = SimConfig()
    listing = attrs.evolve(
        config.listing, first_expiry_s=first_expiry_s, periods=_periods(series.periods),
        buckets=_periods(series.buckets), templates=_periods(series.templates),
    )  # fmt: skip
    config = attrs.evolve(
        config, listing=listing, kalshi=attrs.evolve(config.kalshi, dislocations=dislocations),
        polymarket=attrs.evolve(config.polymarket, dislocations=dislocations),
    )  # fmt: skip
    options = SimOptions(venues=names, seed=seed, speed=speed, linger_s=linger_s, config=config)

    unread: list[OSError] = []

    def announce(document: bytes) -> None:
        try:
            _announce(document, as_json=as_json)
        except OSError as error:
            unread.append(error)
            raise

    try:
        trio.run(serve, options, announce)
    except* KeyboardInterrupt:
        click.echo("stopped", err=True)
    except* OSError:
        if not unread:
            raise
    if unread:  # nobody reads the document, or its disk is full
        raise unread[0]


def _announce(document: bytes, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(document.decode() + "\n")
        sys.stdout.flush()
        return
    for name, venue in msgspec.json.decode(document)["venues"].items():
        click.echo(f"{name}: rest {venue['rest']}  ws {venue['ws']}")
        for account in venue["accounts"]:
            click.echo(f"  {account['name']}: {_credentials(account)}")
    click.echo("serving until Ctrl-C", err=True)


def _credentials(account: dict[str, str]) -> str:
    """Who it is and what signs for it; a key of several lines is only in the JSON document."""
    if "key_id" in account:
        return f"key id {account['key_id']}  (its private key: --json)"
    return f"{account['address']}  key {account['key']}"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _periods(text: str) -> tuple[str, ...]:
    """Periods that there are; ConfigError for what is none."""
    names = _names(text)
    for name in names:
        period_ns(name)
    return names
