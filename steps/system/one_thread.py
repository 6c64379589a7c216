"""TensorFlow in a process of a pool."""

from __future__ import annotations

import os

from steps.errors import UserError


def tensorflow_on_one_thread() -> None:
    """Set TensorFlow to one thread and deterministic operations, before its first operation in this process.

    So results do not depend on the number of workers, and on a CPU several processes with one thread each are faster
    than one process with several threads. Where there are GPUs, each process uses one of them, in turn, and takes only
    the memory it needs.

    Raises:
        UserError: TensorFlow was used in this process before, with other threads.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        if gpus := tf.config.list_physical_devices("GPU"):
            mine = gpus[os.getpid() % len(gpus)]  # processes are started one after the other
            tf.config.set_visible_devices(mine, "GPU")
            tf.config.experimental.set_memory_growth(mine, True)
    except RuntimeError as error:
        raise UserError(
            "TensorFlow was used in this worker process before, with other threads than results need; expected a "
            "process of its own: restart the worker"
        ) from error
    tf.config.experimental.enable_op_determinism()
