"""Line-drawn widgets for live data: a big table, plots, one-line figures, a log.  They know nothing of tuning."""
