"""HTTP: the live page, POST /predict, metrics and health checks."""
