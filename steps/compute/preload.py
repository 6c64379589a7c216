"""What every process of a pool has when it is forked. Only the fork server imports this module.

Nothing here makes TensorFlow's threads, which would not survive forking.
"""

import gc

gc.disable()  # all that is imported stays: searching it for reference cycles takes a quarter of the time

from steps.system.quiet import without_greeting  # noqa: E402

with without_greeting():
    import keras  # noqa: F401

import pandas as pd  # noqa: E402, F401
import sklearn.preprocessing  # noqa: E402
import sklearn.utils.class_weight  # noqa: E402, F401

gc.freeze()  # nor need forked processes search it, whose copies of its pages that would make
gc.enable()
