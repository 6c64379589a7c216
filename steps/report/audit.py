"""What an audit found, in a person's words: a line for the first screen, and a section with the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from steps.core.audit.candidates import (
    AMPLITUDE,
    DURATION,
    LENGTH,
    LEVEL,
    MISSING,
    NAMES,
    NOISE,
    OFFSET,
    ORDER,
    QUANTISATION,
    RATE,
    START,
    TRIALS,
)
from steps.report.table import Cell, Table

_EXAMPLES: Final = 3

# What a sentence calls each kind.
_PHRASES: Final = {
    LENGTH: "the length of the recordings",
    DURATION: "the duration of the recordings",
    RATE: "the sampling rate",
    TRIALS: "the number of recordings per person",
    START: "the time at which recordings start",
    MISSING: "the share of missing values",
    QUANTISATION: "the rounding of the values",
    ORDER: "the order of the recordings in the file",
    NAMES: "the order of the people's names",
}
_LEVELS: Final = {
    OFFSET: "the mean level (offset)",
    AMPLITUDE: "the size of the changes (standard deviation)",
    NOISE: "the noise",
}
_COUNTED: Final = {LENGTH: " samples", TRIALS: " recordings"}
_ADVICE: Final = {
    LENGTH: "cut all recordings by one rule, which knows no classes; if they were cut at events of the movement, their "
    "length may be part of the effect",
    DURATION: "cut all recordings by one rule, which knows no classes; if they were cut at events of the movement, "
    "their duration may be part of the effect",
    RATE: "bring the recordings to one rate from the same kind of device, or compare people of one rate only",
    TRIALS: "find out why; people of one class may have been recorded by another protocol",
    START: "whatever changed meanwhile (device, room, staff, fatigue) looks like the class",
    MISSING: "gaps that were interpolated are smoother; find out why one class has more of them",
    QUANTISATION: "the files of the two classes were written by different devices or programs",
    ORDER: "harmless if somebody sorted the file by class; if it is the order of recording, whatever changed meanwhile "
    "looks like the class",
    NAMES: "harmless if people were numbered by class; if it is the order of recording, whatever changed meanwhile "
    "looks like the class",
}


@dataclass(frozen=True)
class AuditText:
    """An audit as text.

    Attributes:
        cautions: for the first screen, what would make the answer worthless; empty where nothing was found.
        clear: for the first screen, where nothing was found: that, and how much was looked at; else empty.
        judge: for the first screen, where single levels tell the classes apart as well as the models; else empty.
        sentences: for the section.
        table: what was looked at, a row per kind.
        alone: shortcuts that do as well as the models, each with its AUC.
        qualifies: whether the models beat guessing, but perhaps for another reason than what is asked about.
    """

    cautions: tuple[str, ...]
    clear: str
    judge: str
    sentences: tuple[str, ...]
    table: Table | None
    alone: tuple[tuple[str, float], ...]
    qualifies: bool


def audit_text(document: Mapping[str, Any], label_names: tuple[str, str]) -> AuditText:
    """Everything that is said of an audit.

    Args:
        document: from `steps.core.audit.audit.document`.
        label_names: names of the negative and the positive class.
    """
    cautions = (*_shortcut_caution(document, label_names), *_twice(document))
    whose = "this" if "models_auc" in document else "an"
    clear = f"The audit found nothing that would make {whose} answer worthless ({document['checks']} checks)."
    return AuditText(
        cautions=cautions,
        clear="" if cautions else clear,
        judge=_judge(document) if any(one.get("does_as_well") for one in _levels(document)) else "",
        sentences=tuple(_sentences(document, label_names)),
        table=_table(document, label_names),
        alone=tuple(
            (one["kind"], _auc(one)) for one in document["shortcuts"] if one["warning"] and one.get("does_as_well")
        ),
        qualifies=bool(cautions) and document.get("models_auc", {}).get("beats_guessing", False),
    )


def _shortcut_caution(document: Mapping[str, Any], names: tuple[str, str]) -> list[str]:
    """A sentence about differences in how people were recorded, the one that tells most first."""
    kinds = [one for one in document["shortcuts"] if one["warning"] and one["found"]]
    if not kinds:
        return []
    kinds.sort(key=lambda one: -_auc(one))
    named = [_PHRASES[one["kind"]] for one in kinds[:_EXAMPLES]]
    tells = "tells" if len(kinds) == 1 else "each tell"
    careful = f"Careful: {_some(named, len(kinds))} alone {tells} {names[1]} from {names[0]}"
    measured = f"({_unit(document)} {_auc(kinds[0]):.3f}: {_medians(kinds[0], names)})"
    if "models_auc" not in document:
        return [f"{careful} {measured}. A model may learn that instead of {names[1]}."]
    if not document["models_auc"]["beats_guessing"]:
        return [f"{careful} {measured}. The models cannot be told from guessing, so they have not learned it."]
    if any(one["does_as_well"] for one in kinds):
        return [
            f"{careful} as well as the models do {measured}. The models may have learned that, or what goes "
            f"with it; as long as they may, this answer says nothing about {names[1]}."
        ]
    return [
        f"{careful} {measured}. The models do better than that, but part of this answer may come from it, or from "
        "what goes with it."
    ]


def _twice(document: Mapping[str, Any]) -> list[str]:
    sentences = []
    if same := document.get("same_recordings"):
        first, second = same[0]["subjects"]
        one, other = same[0]["trials"]
        pairs = sum(pair["pairs"] for pair in same)
        more = f" ({pairs} such pairs)" if pairs > 1 else ""
        sentences.append(
            f"Careful: {one} and {other} of {first} are one recording in both classes, or nearly so{more}; a label is "
            "wrong."
            if first == second
            else f"Careful: {one} of {first} and {other} of {second} are the same recording, or nearly so{more}; "
            "whoever is tested with it was trained on."
        )
    if alike := document["names"]:
        more = f", and {len(alike) - 1} more like that" if len(alike) > 1 else ""
        sentences.append(
            f"Careful: {_joined(alike[0])} look like names of one person{more}; if so, who is tested was trained on."
        )
    if (who := document.get("identity")) and who["alike"]:
        more = f", and {len(who['alike']) - 1} more pairs like that" if len(who["alike"]) > 1 else ""
        sentences.append(
            f"Careful: trials of {_joined(who['alike'][0])} cannot be told apart, those of everybody else can{more}; "
            "if they are one person, who is tested was trained on."
        )
    if both := document["both_groups"]:
        has = "has" if len(both) == 1 else "have"
        sentences.append(
            f"Careful: {_some(both[:_EXAMPLES], len(both))} {has} recordings of both classes, everybody else of one; a "
            "label or a name may be wrong."
        )
    return sentences


def _sentences(document: Mapping[str, Any], names: tuple[str, str]) -> list[str]:
    sentences = []
    for one in document["shortcuts"]:
        if one["found"] and one["family"] != LEVEL:
            advice = _ADVICE[one["kind"]]
            sentences.append(f"{_capital(_PHRASES[one['kind']])}, {_medians(one, names)}: {advice}.")
    if _levels(document):
        sentences.append(_judge(document))
    if who := document.get("identity"):
        better = who["of_two_people"] > who["of_two_classes"]
        sentences.append(
            f"Single trials tell people apart {'better' if better else 'no better'} than classes: of two people a "
            f"trial points to the right one in {who['of_two_people']:.0%} of cases, of two classes in "
            f"{who['of_two_classes']:.0%} (nearest mean of others' trials; guessing has 50%), and of all "
            f"{who['people']} people it names the right one in {who['named']:.0%}."
        )
    if leak := document.get("leak_check"):
        sentences.append(leak_sentence(leak))
    if document["same_for_all"]:
        same = ", ".join(document["same_for_all"])
        sentences.append(f"The same for everybody, so no shortcut: {same}.")
    return sentences


def _levels(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Kinds of levels that tell the classes apart."""
    return [one for one in document["shortcuts"] if one["found"] and one["family"] == LEVEL]


def _judge(document: Mapping[str, Any]) -> str:
    levels = _levels(document)
    listed = _joined([f"{_LEVELS[one['kind']]} of {_features(one)}" for one in levels])
    as_well = any(one.get("does_as_well") for one in levels)
    one_value = len(levels) == 1 and len(levels[0]["found"]) == 1
    return (
        f"{_capital(listed)}{' alone tells' if one_value else ', each alone, tell'} the classes apart"
        f"{', as well as the models do' if as_well else ''}. This may be the effect itself, or a difference between "
        "devices, gains or placements of sensors: only those who recorded them can judge."
    )


def leak_sentence(leak: Mapping[str, Any]) -> str:
    """The leak check in a sentence; not a result of the study."""
    people, trials = leak["of_people"], leak["of_trials"]
    gained = trials["balanced_accuracy"] - people["balanced_accuracy"]
    return (
        f"Leak check, not a result: one simple classifier has a balanced accuracy of {people['balanced_accuracy']:.3f} "
        f"(AUC {people['auc']:.3f}) on trials of people it had not seen, and {trials['balanced_accuracy']:.3f} (AUC "
        f"{trials['auc']:.3f}) in random folds that mix everybody's trials: {max(gained, 0):.3f} would be knowing the "
        "person."
    )


def _table(document: Mapping[str, Any], names: tuple[str, str]) -> Table | None:
    rows: list[tuple[Cell | str, ...]] = []
    for one in document["shortcuts"]:
        best = one["strongest"]
        rows.append(
            (
                one["kind"] + (f" ({best['feature']})" if best["feature"] else ""),
                Cell(str(one["looked_at"]), float(one["looked_at"])),
                Cell(f"{best['auc']:.3f}", best["auc"]),
                names[1] if best["higher_in_positive"] else names[0],
                Cell(f"{best['p_corrected']:.2g}", best["p_corrected"]),
                _judged(one),
            )
        )
    if not rows:
        return None
    caption = (
        f"The strongest of each kind: {_unit(document)} of this value alone (0.5 is guessing), which class has the "
        f"higher values, and p from {document['permutations']} permutations, corrected for all values looked at. Found "
        f"is what has p of at most {document['alpha']:g}."
    )
    return Table.of(("looked at", "values", "AUC", "higher in", "p, corrected", ""), rows, caption)


def _judged(one: Mapping[str, Any]) -> str:
    if not one["found"]:
        return "not found"
    count = f" ({len(one['found'])} of {one['looked_at']})" if one["looked_at"] > 1 else ""
    if one["family"] == LEVEL:
        return f"to be judged{count}"
    return f"{'shortcut' if one['warning'] else 'order only'}{count}"


def _auc(one: Mapping[str, Any]) -> float:
    return max(float(row["auc"]) for row in one["found"])


def _medians(one: Mapping[str, Any], names: tuple[str, str]) -> str:
    row = one["found"][0]
    of = f" of {row['feature']}" if row["feature"] else ""
    unit = _COUNTED.get(one["kind"], "")
    return (
        f"median{of} {row['median_positive']:.4g}{unit} with {names[1]}, {row['median_negative']:.4g} with {names[0]}"
    )


def _features(one: Mapping[str, Any]) -> str:
    return _some([str(row["feature"]) for row in one["found"][:_EXAMPLES]], len(one["found"]))


def _unit(document: Mapping[str, Any]) -> str:
    return "AUC within people" if document["within_people"] else "AUC of people"


def _some(named: Sequence[str], count: int) -> str:
    """The first of ``count``, and how many more there are."""
    return _joined([*named, f"{count - len(named)} more"] if count > len(named) else named)


def _joined(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
