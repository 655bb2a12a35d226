from __future__ import annotations

from pathlib import Path

from tunetui.tui.reporting import keep_copy, state_folder, write_report


def raised() -> Exception:
    hidden = "a value in a local variable".upper()
    try:
        raise ValueError(f"said out loud {len(hidden)}")
    except ValueError as error:
        return error


def test_a_report_has_the_stack_and_no_values_of_variables(tmp_path: Path) -> None:
    report = write_report(raised(), tmp_path)
    assert report is not None
    text = report.read_text()
    assert "said out loud 27" in text
    assert "in raised" in text
    assert "A VALUE IN A LOCAL VARIABLE" not in text
    assert report.stat().st_mode & 0o077 == 0


def test_a_report_that_cannot_be_written_is_no_failure_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert write_report(raised(), tmp_path / "file") is None


def test_what_is_copied_is_kept_for_its_owner_alone_and_follows_no_link(tmp_path: Path) -> None:
    kept = keep_copy("a row\n\x1b[31m", tmp_path)
    assert kept is not None
    assert kept.read_text() == "a row\n\x1b[31m\n"
    assert kept.stat().st_mode & 0o077 == 0
    kept.unlink()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    kept.symlink_to(victim)
    assert keep_copy("x", tmp_path) is None
    assert victim.read_text() == "mine"


def test_reports_lie_where_the_xdg_specification_says(tmp_path: Path) -> None:
    assert state_folder() == tmp_path / "state" / "tunetui"
