"""TOLD TO PROMETHEUS: the metric table, its rendering (pure), and the smallest HTTP server that can tell it."""
