"""Imports and starts processes as a script in JSON says, and does nothing else; `benchmarks.chain` writes it."""

import json
import subprocess
import sys
from contextlib import suppress

if __name__ == "__main__":
    text = sys.argv[1]
    if text.endswith(".json"):
        with open(text, encoding="utf-8") as file:  # noqa: PTH123  (pathlib would be one import more)
            text = file.read()
    running = []
    for event in json.loads(text):
        if "script" in event:
            child = subprocess.Popen([sys.executable, "-P", __file__, json.dumps(event["script"])])
            if event["wait"]:
                child.wait()
            running.append(child)
        else:
            with suppress(ImportError):  # of something optional
                __import__(event["name"], None, None, event["members"])
    for child in running:
        child.wait()
