"""Where the URLs of alerts come from: a file, a systemd credential, the environment. They hold tokens: secrets all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from hlomm.cli.password import credential
from hlomm.domain.faults import ConfigError
from hlomm.domain.secret import Secret
from hlomm.rundir.home import expanded
from hlomm.rundir.private_file import read_private

VARIABLE: Final = "HL_OMM_ALERT_URLS"
CREDENTIAL: Final = "hlomm-alert-urls"
"""Name of the systemd credential: `LoadCredentialEncrypted=hlomm-alert-urls:…`."""
URLS_MAX: Final = 16
LENGTH_MAX: Final = 1 << 16


def alert_urls(file: str, environ: Mapping[str, str]) -> list[Secret]:
    """One a line, without empty lines and `#` comments. ConfigError if there is none, or the file is open to others.

    `file` may be empty: then the credential counts, then the environment.
    """
    where, content = _found(file, environ)
    try:
        lines = [line.strip() for line in content.reveal().splitlines()]
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: not text — write one URL a line into it") from None
    urls = [Secret(line) for line in lines if line and not line.startswith("#")]
    if not urls:
        raise ConfigError(f"{where}: no URL in it — write one a line, e.g. of the form discord://ID/TOKEN")
    if len(urls) > URLS_MAX:
        raise ConfigError(f"{where}: {len(urls)} URLs — at most {URLS_MAX}")
    return urls


def _found(file: str, environ: Mapping[str, str]) -> tuple[str, Secret]:
    if file:
        path = expanded(file).absolute()
        return str(path), read_private(path, "the file of alert URLs")
    given = credential(environ, CREDENTIAL, "list of URLs", LENGTH_MAX)
    if given is not None:
        return f"credential {CREDENTIAL}", given
    if environ.get(VARIABLE):
        click.echo(
            f"warning: alert URLs are in {VARIABLE}, where other programs can see them; better are a file of yours "
            "(alerts.urls_file) or a systemd credential", err=True,
        )  # fmt: skip
        return VARIABLE, Secret("\n".join(environ[VARIABLE].split()))
    raise ConfigError(
        f"no alert URLs: write them into a file (chmod 600) and name it with --set alerts.urls_file=FILE, or hand them "
        f"over as systemd credential {CREDENTIAL}"
    )
