"""What the column ``group`` says, and under which names a control group goes."""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

from steps.core.data.manifest import CONTROL
from steps.core.readers.identities import comparable
from steps.errors import shown

GROUP_RULE: Final = "'control' for the control group, 'patient' or nothing for the others, or no column 'group'"

_CONTROL: Final = {
    "control", "controls", "controlgroup", "controlsubject", "controlsubjects", "controlparticipants",
    "ctrl", "ctrls", "ctl", "hc", "hcs", "healthy", "healthycontrol", "healthycontrols", "healthysubjects",
    "healthyparticipants", "healthyvolunteers",
}  # fmt: skip
_PATIENT: Final = {"", "patient", "patients", "patientgroup", "case", "cases"}


def is_control_name(name: str) -> bool:
    """Whether this is what people call a control group; case, blanks and signs do not count."""
    return _plain(name) in _CONTROL


def is_group_name(name: str) -> bool:
    """Whether it is known which group is meant; "" means the patients."""
    return _plain(name) in _CONTROL | _PATIENT


def group_notes(frame: pd.DataFrame) -> list[str]:
    """What was taken for the control group under another name, one sentence for each name of a long table."""
    names = frame["group"].cat.categories
    other = [name for name in names if is_control_name(name) and name.strip().lower() != CONTROL]
    subjects = {name: frame["subject"][frame["group"] == name].nunique() for name in other}
    return [
        f"Group {shown(name)} is the control group, {count} subject{'s' if count > 1 else ''}."
        for name, count in subjects.items()
        if count
    ]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", comparable(name).casefold())
