"""The step ``compare``: two trainings on the same folds, or a training and a baseline, subject by subject."""
