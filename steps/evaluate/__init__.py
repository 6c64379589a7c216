"""Fold models to metrics, tables and figures."""
