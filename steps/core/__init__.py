"""What is computed, by plain functions that know neither MLflow, nor pools, nor commands."""
