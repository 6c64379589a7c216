"""Studies on their way to another store, by file or directly, and out of a store for good."""
