"""`hlomm calibrate`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.research.calibrate.calibrating import calibrate
from hlomm.settings.load import load


def calibrate_command(
    paths: tuple[Path, ...], *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], out: Path | None,
    as_json: bool,
) -> ExitCode:  # fmt: skip
    if out is not None and out.suffix != ".toml":
        raise UsageError(f"{out}: --out is a settings file, so its name ends in .toml")
    found = calibrate(paths, load(profile, config_files, sets))
    document = json.dumps(found.document())
    written: list[Path] = []
    if out is not None:
        written = [out, out.with_suffix(".json")]
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            written[0].write_text(found.overlay(), encoding="utf-8")
            written[1].write_text(f"{document}\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{out}: {error.strerror or error}") from None
        load(profile, (*config_files, out), sets)  # what is written is a configuration, or it is said now
    click.echo(document if as_json else found.text())
    if not as_json:
        for path in written:
            click.echo(f"written: {path}")
    return ExitCode.CLEAN
