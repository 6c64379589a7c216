"""What a process of a pool takes of the machine."""

from __future__ import annotations

import os

import pytest

from steps.system.one_thread import tensorflow_on_one_thread


@pytest.mark.parametrize(("pid", "mine"), [(10, "GPU:0"), (11, "GPU:1"), (12, "GPU:0")])
def test_processes_take_gpus_by_turns_and_only_the_memory_they_need(
    monkeypatch: pytest.MonkeyPatch, pid: int, mine: str
) -> None:
    import tensorflow as tf

    calls: list[tuple[object, ...]] = []
    for name in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, name, lambda count: None)
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: None)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *given: calls.append(given))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *given: calls.append(given))
    monkeypatch.setattr(os, "getpid", lambda: pid)
    tensorflow_on_one_thread()
    assert calls == [(mine, "GPU"), (mine, True)]
