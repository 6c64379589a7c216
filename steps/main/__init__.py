"""The driver: runs the steps of a study, one after another."""
