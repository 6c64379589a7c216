"""source -> dataset artifact: readers, simulated study, validation."""
