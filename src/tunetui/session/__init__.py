"""The one place that knows plan, engines and store: what the command line and the app call."""

from tunetui.session.batch import ResumeSummary, Session
from tunetui.session.linking import LinkOptions
from tunetui.session.opening import BatchOptions
from tunetui.session.preparing import Preparing
from tunetui.store.leaderboard import read_leaderboard
from tunetui.store.shipped import shipped_folder

__all__ = ["BatchOptions", "LinkOptions", "Preparing", "ResumeSummary", "Session", "read_leaderboard", "shipped_folder"]
