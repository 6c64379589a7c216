"""Models in MLflow: logged, loaded, registered."""
