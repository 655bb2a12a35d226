"""Where trials are measured: one module per way of reaching a host."""
