"""Step ``predict``: a registered model and recordings it has not seen -> probabilities and their attribution.

It stands above the four steps of a study and applies some of their pure functions; none of them knows it. Which
module borrows from which step is listed, and kept, in ``tests/test_project.py``.
"""
