"""What the probe sees of real processes, and the chain of bare imports made of it."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.chain import Seen, import_all, probing, read_probe, script_of
from benchmarks.measure import run

CHAIN = """
import multiprocessing, subprocess, sys

if __name__ == "__main__":
    subprocess.run([sys.executable, "-c", "from http import server"])
    import pandas
    context = multiprocessing.get_context("fork")
    child = context.Process(target=__import__, args=("sklearn",))
    child.start()
    child.join()
"""


def test_probe_notes_outermost_imports_of_every_process(tmp_path: Path) -> None:
    (tmp_path / "chain.py").write_text(CHAIN)
    run([sys.executable, "chain.py"], tmp_path, probing(tmp_path / "seen"))
    parent, started, forked = read_probe(tmp_path / "seen")
    names = [entry["name"] for entry in parent.imports]
    assert "pandas" in names
    assert not [name for name in names if name.startswith("pandas.")]  # parts of the import of pandas
    assert started.parent == forked.parent == parent.pid
    assert [(entry["name"], entry["members"]) for entry in started.imports] == [("http", ["server"])]
    assert [entry["name"] for entry in forked.imports] == ["sklearn"]
    assert (parent.forked, started.forked, forked.forked) == (False, False, True)
    assert parent.import_s > 0


def test_bare_imports_are_done_where_they_were_seen(tmp_path: Path) -> None:
    """Two modules that take a known time, one after the other in a step, and side by side in a pool."""
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text("import time; time.sleep(1)")
    began = {"members": [], "ended": 0.0}
    one = Seen(1, 0, ("python", "-m", "steps.main"), False, 0.0, [{"name": "first", "began": 2.0, **began}])
    step = Seen(2, 1, ("python", "-m", "steps.train"), False, 1.0, [{"name": "second", "began": 1.0, **began}])
    pool = Seen(2, 1, ("python", "-c", "work"), False, 1.0, step.imports)
    assert import_all([one, step], tmp_path, str(tmp_path)) > 2
    assert import_all([one, pool], tmp_path, str(tmp_path)) > 1


def test_chain_of_imports_starts_and_waits_where_the_steps_did() -> None:
    def imported(name: str, began: float, seconds: float = 0.1) -> dict[str, object]:
        return {"name": name, "members": [], "began": began, "ended": began + seconds}

    python = ("python", "-m")
    main = Seen(1, 0, (*python, "steps.main"), False, 0.0, [imported("mlflow", 0.1), imported("jinja2", 9.0)])
    train = Seen(2, 1, (*python, "steps.train"), False, 2.0, [imported("click", 2.1), imported("mlflow", 2.4)])
    server = Seen(3, 2, ("python", "-c", "from multiprocessing.forkserver"), False, 2.3, [imported("keras", 2.4)])
    one = Seen(4, 3, server.command, True, 5.0, [imported("scipy", 5.1, 0.2)])
    other = Seen(5, 3, server.command, True, 5.0, [imported("scipy", 5.1, 0.3), imported("h5py", 5.5)])
    tree = script_of(main, [main, train, server, one, other])

    def modules(*names: str) -> list[dict[str, object]]:
        return [{"name": name, "members": []} for name in names]

    pool = {"script": modules("keras", "scipy", "h5py"), "wait": False}
    assert tree == [
        *modules("mlflow"),
        {"script": [*modules("click"), pool, *modules("mlflow")], "wait": True},
        *modules("jinja2"),
    ]
