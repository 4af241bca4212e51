"""Progress bars."""

from __future__ import annotations

import io
import sys

import pytest

from rtmixd.progress import ProgressBar


def test_bar_shows_how_much_of_all_is_done() -> None:
    shown = io.StringIO()
    with ProgressBar("upload", file=shown, disable=False, mininterval=0) as bar:
        bar(24_000, 96_000)
        assert "25%" in shown.getvalue()
        bar(96_000, 96_000)
    last = shown.getvalue().split("\r")[-1]
    assert last.startswith("upload: 100%")
    assert "96.0k/96.0k" in last


def test_bar_follows_a_total_that_grows() -> None:
    shown = io.StringIO()
    with ProgressBar(file=shown, disable=False, mininterval=0) as bar:
        bar(100, 100)
        bar(100, 400)
        bar(200, 400)
        assert "50%" in shown.getvalue().split("\r")[-1]


def test_nothing_is_shown_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("upload") as bar:
        bar(1, 2)
    assert capsys.readouterr().err == ""


def test_missing_tqdm_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"rtmixd\[progress\]"):
        ProgressBar()
