"""Fold models to the importance of features, by Integrated Gradients."""
