"""Damaged files, one after the other, in a process of their own with little memory and little time.

``python -m tests.core.formats.damage COUNT SEED FILE …`` prints how many came to what; it ends with 1 if one caused
anything but a table or one line. All files of FILE's folder that have its name belong to it, and are damaged, too.
"""

from __future__ import annotations

import io
import random
import resource
import signal
import sys
import time
import traceback
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from steps.core.formats.file_table import RawFile
from steps.core.formats.table import format_of, read_file
from steps.errors import UserError

MEMORY, SECONDS = 1 << 30, 10
_HEADER = 3000


def damaged(raw: bytes, chance: random.Random) -> bytes:
    """A file with bytes flipped, cut out, put in, or cut off; of an archive mostly a member."""
    if raw.startswith(b"PK") and chance.random() < 0.7:
        return _damaged_member(raw, chance)
    spoiled = bytearray(raw)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        if not spoiled:
            break
        at = chance.randrange(min(len(spoiled), _HEADER) if chance.random() < 0.7 else len(spoiled))
        kind = chance.random()
        if kind < 0.4:
            spoiled[at] = chance.randrange(256)
        elif kind < 0.6:
            spoiled[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, *b"09-/. "])
        elif kind < 0.75:
            del spoiled[at : at + chance.choice([1, 2, 8, 100])]
        elif kind < 0.9:
            spoiled[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice([1, 2, 8, 100])))
        else:
            del spoiled[at + 1 :]
    return bytes(spoiled)


def _damaged_member(raw: bytes, chance: random.Random) -> bytes:
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as before, zipfile.ZipFile(changed, "w") as after:
        which = chance.choice(before.namelist())
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, damaged(content, chance) if name == which else content)
    return changed.getvalue()


class TooSlow(BaseException):
    """Nothing that a reader may take for an error of its own."""


def _too_slow(_signal: int, _frame: Any) -> None:
    raise TooSlow(f"took more than {SECONDS} s")


def outcome(path: Path, seed: int) -> str:
    """What reading a damaged copy of a file comes to."""
    chance = random.Random(f"{path.name} {seed}")  # noqa: S311, damage is no secret
    raws = {one.name: one.read_bytes() for one in sorted(path.parent.glob(f"{path.stem}.*"))}
    which = chance.choice(sorted(raws))
    raws[which] = damaged(raws[which], chance)

    def beside(name: str) -> bytes:
        if name not in raws:
            raise UserError(f"{path.name} needs the file {name!r}, which is not beside it")
        return raws[name]

    kind = format_of(path.name)
    assert kind
    try:
        read_file(RawFile(raws[path.name], path.name, beside), kind)
    except UserError as error:
        return "one line" if str(error).startswith(path.stem) else f"no name: {error}"
    return "read"


def main() -> None:
    """Damage files many times each."""
    count, seed, paths = int(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
    for path in paths:
        outcome(path, -1)  # what is imported for it does not count
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    signal.signal(signal.SIGALRM, _too_slow)
    sys.exit(max(_many(path, count, seed) for path in paths))


def _many(path: Path, count: int, seed: int) -> bool:
    """Damage a file many times, say what came of it, and whether anything bad did."""
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for i in range(seed, seed + count):
        print(f"next {path.name} {i}", file=sys.stderr, flush=True)
        signal.alarm(SECONDS)
        start = time.perf_counter()
        try:
            outcomes[outcome(path, i)] += 1
        except BaseException as error:
            outcomes["bad"] += 1
            trace = "".join(traceback.format_tb(error.__traceback__)[-3:])
            print(f"bad {path.name} {i}: {type(error).__name__}: {error}", trace)
        finally:
            signal.alarm(0)
        slowest = max(slowest, took := time.perf_counter() - start)
        if took > SECONDS / 2:
            print(f"slow {path.name} {i}: {took:.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{path.name}: {dict(outcomes)}, slowest {slowest:.2f} s, peak {peak} MiB")
    return bool(outcomes.keys() - {"read", "one line"})


if __name__ == "__main__":
    main()
