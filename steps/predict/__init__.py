"""Step ``predict``: a registered model and recordings it has not seen -> probabilities and their attribution."""
