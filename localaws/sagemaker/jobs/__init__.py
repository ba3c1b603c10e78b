"""Jobs as processes: staging, supervision, limits, logs and metrics."""
