"""Small files that processes share: whole or not there, whatever the disk does; the chain of operator actions."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hlomm.domain.audit import Action
from hlomm.rundir import audit_file, halt_file, replacing
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.halt_file import HaltNote

BEFORE, AFTER = HaltNote("drawdown 151 > 150", 1), HaltNote("kill by uid 0 (root) (drill)", 2)


def test_a_write_that_the_kernel_cuts_short_is_gone_on_with(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(replacing.os, "write", lambda fd, data: real(fd, bytes(data)[:7]))
    halt_file.write(tmp_path / "halt.json", AFTER)
    assert halt_file.read(tmp_path / "halt.json") == AFTER


def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_file(tmp_path, monkeypatch):
    """The kernel takes what fits without a word, and says that the disk is full only when asked for more."""
    path = tmp_path / "halt.json"
    halt_file.write(path, BEFORE)
    real, taken = os.write, 0

    def filling(fd: int, data: bytes) -> int:
        nonlocal taken
        if taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = real(fd, bytes(data)[:7])
        return taken

    monkeypatch.setattr(replacing.os, "write", filling)
    with pytest.raises(OSError, match="No space"):
        halt_file.write(path, AFTER)
    assert halt_file.read(path) == BEFORE


def test_the_new_name_is_on_disk_before_it_counts(tmp_path, monkeypatch):
    """Without a sync of the directory the loss of the host may bring the file back that was replaced."""
    synced: list[str] = []
    real = os.fsync

    def note(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        real(fd)

    monkeypatch.setattr(replacing.os, "fsync", note)
    halt_file.write(tmp_path / "halt.json", AFTER)
    assert synced == [str(tmp_path / "halt.partial"), str(tmp_path)]


def test_nothing_is_written_through_a_link_that_lies_in_the_way(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"somebody's")
    (tmp_path / "halt.partial").symlink_to(other)
    halt_file.write(tmp_path / "halt.json", AFTER)
    assert halt_file.read(tmp_path / "halt.json") == AFTER
    assert not (tmp_path / "halt.json").is_symlink()
    assert other.read_bytes() == b"somebody's"


def action(number: int) -> Action:
    return Action(
        at_ms=number, epoch=1, seq=number, action="pause", who="uid 0 (root)", reason="", target="x", result="running"
    )


def test_nothing_new_adds_nothing_to_a_chain_with_a_torn_end(tmp_path):
    """A lone line end would make a harmless torn line look like one that somebody defaced."""
    file = AuditFile(tmp_path / "audit.log")
    file.append([action(1)])
    with (tmp_path / "audit.log").open("ab") as end:
        end.write(b'{"n":2,"prev":"ab')
    again = AuditFile(tmp_path / "audit.log")
    assert again.append([action(1)]) == []
    chain = again.read()
    assert chain.broken is None
    assert len(chain.torn) == 1
    assert [link.n for link in again.append([action(2)])] == [2]
    assert again.read().broken is None


def test_a_chain_that_the_disk_does_not_take_is_as_it_was(tmp_path, monkeypatch):
    file = AuditFile(tmp_path / "audit.log")
    file.append([action(1)])
    before = (tmp_path / "audit.log").read_bytes()

    def full(fd: int, data: bytes) -> None:
        os.write(fd, data[:20])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(audit_file, "_write", full)
        with pytest.raises(OSError, match="No space"):
            file.append([action(2)])
    assert (tmp_path / "audit.log").read_bytes() == before
    assert [link.n for link in file.append([action(2)])] == [2]
