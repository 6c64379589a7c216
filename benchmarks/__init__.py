"""What things cost, measured against the same thing without them, in one run."""
