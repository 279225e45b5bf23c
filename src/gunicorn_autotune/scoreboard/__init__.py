"""THE SHARED MEMORY: one row per worker slot, one writer per word, made before the first fork."""
