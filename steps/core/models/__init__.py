"""Networks: build, fit, save, load."""
