"""Leaderboards as files of other programs, each with where its figures come from."""
