"""MLflow plugins for studies of people: tags of runs, and intervals over subjects for any model."""
