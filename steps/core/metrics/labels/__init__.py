"""How well whole labels are told: several classes, ordered ones, or a score."""
