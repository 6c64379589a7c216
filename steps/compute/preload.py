"""What every process of a pool has when it is forked. Only the fork server imports this module.

Nothing here makes TensorFlow's threads, which would not survive forking.
"""

from steps.system.quiet import without_greeting

with without_greeting():
    import keras  # noqa: F401

import pandas as pd  # noqa: F401
import sklearn.preprocessing
import sklearn.utils.class_weight  # noqa: F401
