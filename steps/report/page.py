"""What pages have in common: templates, style, and a content security policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent


def environment() -> Environment:
    """Templates of this package; all text is escaped."""
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(name: str) -> Markup:
    """A style or a script, as it is: files of this package, not of the user."""
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704


def policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """A content security policy that names the hashes of what a page holds, and forbids everything else."""
    script = " ".join(map(_hash, scripts)) or "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src {' '.join(map(_hash, styles))}; script-src {script}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    """A source of a content security policy: exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
