"""An agent on another machine, over SSH: the only place that knows asyncssh, and imported only when a host is named."""
