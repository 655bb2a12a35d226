"""The one place that knows plan, engines and store: what the command line and the app call."""

from tunetui.session.batch import ResumeSummary, Session
from tunetui.session.linking import LinkOptions
from tunetui.session.opening import BatchOptions
from tunetui.store.leaderboard import read_leaderboard

__all__ = ["BatchOptions", "LinkOptions", "ResumeSummary", "Session", "read_leaderboard"]
