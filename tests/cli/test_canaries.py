"""The search for secrets finds what is planted, in every form and in every kind of file that a run leaves."""

from __future__ import annotations

import base64
import gzip
import io
import json
import sqlite3
import zipfile
import zlib
from pathlib import Path

import polars as pl
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hlomm.domain.times import Now
from hlomm.journal.codec import NoteRecord, encode
from hlomm.journal.framing import frame
from tests.support.canaries import of_bytes, of_pem, of_text, traces

RAW = bytes.fromhex("c0ffee" + "5a" * 28 + "01")
KEY = of_bytes("key", RAW)
WORD = "canary-password-9f1c37d2"
PEM = (
    Ed25519PrivateKey.from_private_bytes(RAW)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
FORMS = {
    "hex": RAW.hex().encode(), "0x": b"0x" + RAW.hex().encode(), "upper": RAW.hex().upper().encode(), "raw": RAW,
    "decimal": str(int.from_bytes(RAW, "big")).encode(), "base64": base64.b64encode(RAW),
    "base64 in base64": base64.b64encode(base64.b64encode(RAW)), "base64 at 1": base64.b64encode(b"k" + RAW + b"x"),
    "base64 at 2": base64.b64encode(b"ke" + RAW + b"xyz"), "url": base64.urlsafe_b64encode(b"\xfb" + RAW),
    "bytes repr": json.dumps({"key": RAW.hex()}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("form", list(FORMS))
def test_every_form_is_found(tmp_path: Path, form: str) -> None:
    (tmp_path / "clean.log").write_bytes(b"nothing here " * 100)
    assert traces(tmp_path, [KEY]) == []
    (tmp_path / "some.log").write_bytes(b"before " + FORMS[form] + b" after")
    assert {trace.canary for trace in traces(tmp_path, [KEY])} == {"key"}


def test_texts_and_pems_are_found(tmp_path: Path) -> None:
    canaries = [of_text("word", WORD), *of_pem("pem", PEM)]
    (tmp_path / "a").write_text(json.dumps({"pem": PEM}))
    assert "pem line 0" in {trace.canary for trace in traces(tmp_path, canaries)}
    (tmp_path / "a").write_text(f"POST /?password={WORD}&x")
    assert {trace.canary for trace in traces(tmp_path, canaries)} == {"word"}
    (tmp_path / "a").write_text(RAW.hex())
    assert {trace.canary for trace in traces(tmp_path, canaries)} == {"pem seed"}
    (tmp_path / "a").unlink()
    (tmp_path / f"{WORD}.log").touch()
    assert {trace.where for trace in traces(tmp_path, canaries)} == {f"name of {WORD}.log"}


def zipped(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return made.getvalue()


def test_it_looks_into_what_is_packed(tmp_path: Path) -> None:
    note = frame(encode(NoteRecord(1, Now(0, 0), f"signing with {RAW.hex()}")))
    assert RAW.hex().encode() in note
    planted = {
        "1-000000.journal": note,
        "1-000001.journal.gz": gzip.compress(note * 50),
        "page.html": b"<script>" + base64.b64encode(gzip.compress(b'{"seen": "' + FORMS["0x"] + b'"}')) + b"</script>",
        "blob": zlib.compress(FORMS["upper"] * 3),
        "bundle.zip": zipped({"journal/1-000001.journal.gz": gzip.compress(note * 50)}),
    }
    for name, content in planted.items():
        (tmp_path / name).write_bytes(content)
        assert [trace for trace in traces(tmp_path, [KEY]) if trace.where.startswith(name)], name
        (tmp_path / name).unlink()


def test_it_looks_into_databases_and_tables(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    connection.execute("CREATE TABLE fills (x)")
    # As long as a page, so that no copy of it lies in one piece in the file.
    connection.execute("INSERT INTO fills VALUES (?)", (b"x" * 4_050 + RAW + b"y" * 9_000,))
    connection.execute("INSERT INTO fills VALUES (?)", (WORD,))
    connection.commit()
    connection.close()
    found = traces(tmp_path, [KEY, of_text("word", WORD)])
    assert {trace.canary for trace in found if trace.where == "ledger.sqlite (cells)"} == {"key", "word"}
    (tmp_path / "ledger.sqlite").unlink()
    pl.DataFrame({"text": ["a", f"with {RAW.hex()}"] * 1_000}).write_parquet(tmp_path / "a.parquet", compression="zstd")
    assert {trace.where for trace in traces(tmp_path, [KEY])} >= {"a.parquet (rows)"}
