"""From start to stop: ready, running, as a daemon."""
