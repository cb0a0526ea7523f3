import os

import pytest

from initodds.sweeps import progress
from initodds.sweeps.progress import Monitor, Report


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]):
    with Monitor(cells=2) as monitor:
        first, second = Report("init=unit", 4), Report("init=half", 4)
        first.epoch()
        monitor.look()
        first.finish("4 stuck")
        second.epoch()
        monitor.look()
        second.finish("4 converged")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("1/2 init=unit: 4 stuck (")
    assert lines[1].startswith("2/2 init=half: 4 converged (")
    assert len(lines) == 2
    assert progress.FOLDER not in os.environ


def test_the_bar_shows_cells_done_and_the_current_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    tqdm = progress.tqdm
    monkeypatch.setattr(progress, "tqdm", lambda **options: tqdm(**{**options, "disable": False, "ncols": 150}))
    with Monitor(cells=2) as monitor:
        done, current = Report("init=unit", 4), Report("init=half", 4)
        done.finish("4 stuck")
        current.epoch()
        monitor.look()
        assert monitor.bar.n == pytest.approx((1 + 1 / 4) / 2)
    shown = capsys.readouterr().err
    assert "1/2 cells" in shown
    assert "init=half: network-epoch 1/4" in shown


def test_a_report_without_a_monitor_is_silent(capsys: pytest.CaptureFixture[str]):
    Report("init=unit", 1).finish("1 stuck")
    assert capsys.readouterr() == ("", "")


def test_a_long_cell_is_heard_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with Monitor() as monitor:
        report = Report("init=unit", 4)
        report.epoch()
        monitor.look()
    assert "0/1 init=unit: network-epoch 1/4 (" in capsys.readouterr().err
