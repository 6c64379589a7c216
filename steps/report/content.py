"""The text and tables of a report; `steps.report.render` makes pages of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from steps.core.data.labelling import ORDERED
from steps.core.data.manifest import PATIENT
from steps.core.data.normalise import ENOUGH
from steps.core.metrics.labels.metrics import LABEL_METRICS
from steps.core.metrics.labels.text import label_sentence
from steps.core.metrics.names import POOLED, SUBJECT, UNITS
from steps.core.metrics.statistic import primary
from steps.report import attribution, results, tables
from steps.report.answer import answer, headline
from steps.report.audit import AuditText, audit_text
from steps.report.command import changed_parameters, reproduce_command, spelled
from steps.report.data import ReportData
from steps.report.evaluation import Evaluation, evaluation
from steps.report.methods import methods_table, rival
from steps.report.quality import Section, quality_markdown, section
from steps.report.table import Table
from steps.writing.estimates import estimate_text
from steps.writing.markdown import plain

SPLITS = {"loso": "leave-one-subject-out", "loso-plain": "leave-one-subject-out, classes not balanced"}
STANDARDISED = (
    "each subject's trials standardised by the mean and standard deviation of all of that subject's trials, without "
    "labels (normalise=subject); assumes that of every person several recordings are at hand, of both classes in like "
    "proportion"
)


@dataclass(frozen=True)
class Interval:
    """An estimate to draw on a line from 0 to 1."""

    title: str
    unit: str
    text: str
    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, title: str, unit: str, estimate: Mapping[str, float]) -> Interval:
        """From ``{value, low, high}``."""
        return cls(title, unit, estimate_text(estimate), estimate["value"], estimate.get("low"), estimate.get("high"))


@dataclass(frozen=True)
class Content:
    """Everything in a report but its figures, in the order of the page."""

    title: str
    question: str
    date: str
    run_id: str
    short_answer: tuple[str, ...]
    answer: tuple[str, ...]
    audit: AuditText | None
    intervals: tuple[Interval, ...]
    legend: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    quality: Section | None
    quality_markdown: tuple[str, ...]
    parameters: Table
    results: Table
    other_results: Table | None
    headlines: Table
    evaluation: Evaluation
    methods: Table | None
    subjects: Table
    attribution: tuple[str, ...]
    importance: Table
    runtime: Table
    runtime_sentence: str
    command: str
    command_notes: tuple[str, ...]
    limitations: tuple[str, ...]


def content(data: ReportData) -> Content:
    """The text and tables of a study's report."""
    audited = audit_text(data.audit, data.label_names) if data.audit else None
    return Content(
        title=data.run_name,
        question=question(data),
        date=f"{data.started.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        run_id=data.run_id,
        short_answer=short_answer(data.summary, data.label_names, data.audit),
        answer=(
            *_labels(data.summary),
            *answer_beside_simpler(data.summary, data.label_names),
            *_split_warning(data),
            *_simulated(data),
        ),
        audit=audited,
        intervals=_intervals(data, audited),
        legend=_legend(data.summary),
        facts=_facts(data),
        notes=(*data.manifest.notes, *normalise_offered(data)),
        quality=section(data.quality) if data.quality else None,
        quality_markdown=tuple(quality_markdown(data.quality)) if data.quality else (),
        parameters=tables.parameter_table(data),
        results=results.results_table(data.summary),
        other_results=results.other_thresholds_table(data.summary),
        headlines=results.headlines_table(data.summary),
        evaluation=evaluation(data.summary),
        methods=methods_table(data.summary),
        subjects=tables.subject_table(data),
        attribution=attribution.sentences(data),
        importance=tables.importance_table(data),
        runtime=tables.runtime_table(data),
        runtime_sentence=_runtime(data),
        command=reproduce_command(
            data.parameters, commit=data.commit, repository=data.repository, env_manager=data.env_manager
        ),
        command_notes=_command_notes(data),
        limitations=_limitations(data),
    )


def question(data: ReportData) -> str:
    """What the study asks, as the page's title."""
    labelling = data.manifest.labelling
    if labelling is None:
        return f"Can {data.label_names[1]} be recognised in a new person?"
    if not labelling.has_classes:
        return "Can the score be told in a new person?"
    what = f"{labelling.width} {'levels' if labelling.kind == ORDERED else 'classes'}"
    return f"Can {what} be told apart in a new person?"


def answer_beside_simpler(summary: Mapping[str, Any], label_names: tuple[str, str]) -> tuple[str, ...]:
    """The answer: what was measured, what it means, and how the best simpler method did where one was run.

    The arguments are those of `steps.report.answer.answer`.
    """
    simpler = rival(summary)
    return (*answer(summary, label_names), *([simpler.sentence] if simpler else []))


def short_answer(
    summary: Mapping[str, Any], label_names: tuple[str, str], audit: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """The answer in one sentence, what the audit has against it, and the best simpler method where one was run.

    Args:
        summary: as for `steps.report.answer.answer`.
        label_names: names of the negative and the positive class.
        audit: from `steps.core.audit.audit.document`.
    """
    return tuple(said for _, said in named_short_answer(summary, label_names, audit))


def named_short_answer(
    summary: Mapping[str, Any], label_names: tuple[str, str], audit: Mapping[str, Any] | None = None
) -> list[tuple[str, str]]:
    """The sentences of `short_answer`, each with a name."""
    simpler, said = rival(summary), headline(summary, label_names)
    audited = audit_text(audit, label_names) if audit else None
    if audited and audited.qualifies:
        said = f"{said.removesuffix('.')}; but see the audit."
    return [
        ("Answer", said),
        *(("Labels", said) for said in _labels(summary)),
        *([("Audit", " ".join(audited.cautions))] if audited and audited.cautions else []),
        *([("Simpler", simpler.short_sentence)] if simpler else []),
    ]


def _labels(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Whether whole labels are told, where there is more to them than yes or no."""
    return (label_sentence(summary["labels"]),) if "labels" in summary else ()


def answer_in_markdown(short: Sequence[str], whole: Sequence[str]) -> str:
    """The answer as the first lines of a run's description; from `short_answer` and `answer_beside_simpler`.

    MLflow shows four lines until it is asked for more: answer and simpler method have to fit in there.
    """
    first, *simpler = map(plain, short)
    return "\n\n".join([" ".join([f"**{first}**", *simpler]), *map(plain, whole)])


def normalise_offered(data: ReportData) -> tuple[str, ...]:
    """That subjects could be compared with themselves, where all have trials of both classes and it was not done."""
    patients = [entry for entry in data.manifest.subjects if entry.group == PATIENT]
    if data.is_within_subjects or not all(0 < entry.positive_trials < entry.trials for entry in patients):
        return ()
    return (
        "Every subject has trials of both classes, so normalise=subject could compare each subject's trials with each "
        "other. It helps where people differ in level or scale, and costs where they do not; see what it does with "
        "compare. It then needs several recordings of a new person.",
    )


def _simulated(data: ReportData) -> tuple[str, ...]:
    return (
        ("Simulated data: the numbers say something about the method, nothing about people.",)
        if data.is_simulated
        else ()
    )


def _split_warning(data: ReportData) -> tuple[str, ...]:
    """That the classes were not balanced in the folds, where it was asked for."""
    if data.parameters["cv"] != "loso-plain":
        return ()
    return (
        "Mind cv=loso-plain: whoever is left out is missing in his class, so where there is little to find AUC comes "
        "out too low, far below 0.5 where there is nothing. It is there to compare with the literature; cv=loso "
        "balances the classes in every fold.",
    )


def _intervals(data: ReportData, audited: AuditText | None) -> tuple[Interval, ...]:
    drawn = [
        Interval.of(one.title, UNITS[level], estimate)
        for one in primary(data.summary["thresholds"])
        for level in (SUBJECT, POOLED)
        if (estimate := data.summary[level].get(one.name))
    ]
    if labels := data.summary.get("labels"):
        name = labels["primary"]
        drawn[:0] = [
            Interval.of(LABEL_METRICS[name].title, UNITS[level], estimate)
            for level in (SUBJECT, POOLED)
            if (estimate := labels[level]["metrics"].get(name))
        ]
        return tuple(drawn)
    simpler = rival(data.summary)
    if simpler and simpler.does_as_well:  # right below the network's, so that nobody reads the one without the other
        drawn.insert(1, Interval.of(f"AUC, {simpler.baseline.title}", "subjects", simpler.auc))
    if drawn and audited and audited.qualifies:
        alone = [Interval.of(f"AUC, {kind} alone", "subjects", {"value": auc}) for kind, auc in audited.alone]
        drawn[1:1] = alone
    return tuple(drawn)


def _legend(summary: Mapping[str, Any]) -> str:
    """How to read the intervals, and why those of a perfect study are not of one width."""
    legend = (
        f"Mark: what was measured. Bar: its {summary['intervals']['confidence']:.0%} interval over people. Bold: "
        "subjects, by whom to judge."
    )
    found = [summary[SUBJECT].get(one.name, {}) for one in primary(summary["thresholds"])]
    counts = summary["counts"]
    mixed = counts["positive_subjects"] + counts["negative_subjects"] > counts["subjects"]
    if mixed or not all(one.get("value") == 1 and "low" in one for one in found):
        return legend
    return (
        f"{legend} With nobody wrong, AUC has the wider interval: it counts pairs of one person of each class that "
        "share nobody, which are fewer than the people."
    )


def _facts(data: ReportData) -> tuple[tuple[str, str], ...]:
    manifest, names = data.manifest, data.label_names
    controls = sum(entry.group == "control" for entry in manifest.subjects)
    both = sum(0 < entry.positive_trials < entry.trials for entry in manifest.subjects if entry.group == "patient")
    people = f"{len(manifest.subjects) - controls} subjects"
    if both:
        people += f", {'each' if both == len(manifest.subjects) - controls else both} with trials of both classes"
    if controls:
        people += f"; {controls} more in the control group, never tested"
    counts = manifest.class_counts
    changed = changed_parameters(data.parameters)
    facts = [
        ("Data", manifest.source),
        ("Subjects", people),
        ("Trials", f"{manifest.trials}: {counts['1']} {names[1]} (positive), {counts['0']} {names[0]}"),
        ("Shape", f"{manifest.timesteps} time points × {len(manifest.features)} features"),
        ("SHA-256 of the data", manifest.digest),
        ("Network", str(data.parameters["model"])),
        *([("Input", STANDARDISED)] if data.is_within_subjects else []),
        ("Splits", SPLITS.get(str(data.parameters["cv"]), str(data.parameters["cv"]))),
        ("Changed parameters", ", ".join(f"{k} = {spelled(v)}" for k, v in changed.items()) or "none, all at defaults"),
        ("Commit", (data.commit or "unknown") + (", with uncommitted changes" if data.has_local_changes else "")),
    ]
    if data.code_digest:
        facts.append(("SHA-256 of the code", data.code_digest))
    software = dict(data.software)
    machine = [software.pop(name) for name in ("cpu", "os") if name in software]
    if software:
        facts.append(("Versions", ", ".join(f"{name} {version}" for name, version in software.items())))
    if machine:
        facts.append(("Machine", "; ".join(machine)))
    facts.append(("MLflow run", data.run_id))
    return tuple(facts)


def _runtime(data: ReportData) -> str:
    runtime = data.runtime
    sentence = (
        f"Training took {tables.seconds_text(runtime['training_s_mean_per_fold'])} per fold on average: "
        f"{runtime['folds']:.0f} folds, {tables.seconds_text(runtime['training_s'])} of training in "
        f"{tables.seconds_text(runtime['folds_wall_s'])} on {runtime['workers']:.0f} "
        f"process{'es' if runtime['workers'] > 1 else ''}."
    )
    if data.inference_ms_per_trial is not None:
        sentence += f" A new trial is scored in {data.inference_ms_per_trial:.2g} ms (median)."
    return sentence


def _command_notes(data: ReportData) -> tuple[str, ...]:
    notes = []
    if not data.repository:
        notes.append("Type it in a clone of the repository; MLflow checks the commit out there.")
    if data.parameters.get("source") != "simulated":
        notes.append("A relative source means the folder in which you type the command.")
    if data.has_local_changes:
        notes.append("The commit alone is not what was run: the code had uncommitted changes.")
    same = f"The data are the same when their digest begins with {data.manifest.digest[:12]}"
    notes.append(
        same + (f", the code when its digest begins with {data.code_digest[:12]}." if data.code_digest else ".")
    )
    return tuple(notes)


def _limitations(data: ReportData) -> tuple[str, ...]:
    counts, names = data.summary["counts"], data.label_names
    limits = [
        "Not a medical device: for research, not for diagnosis or decisions about a person.",
        f"Small sample: {counts['subjects']} subjects decide, however many trials each of them has. The intervals say "
        "how different other subjects of the same kind might have come out; they know nothing of other kinds of "
        "people, laboratories or equipment.",
        "Decide by the column of subjects. The column of trials, and its AUC above all, pools trials of different "
        "subjects under different models and counts people with many trials more often.",
        f"Associations, not causes: a feature that the models used need not be changed by {names[1]}, and a feature "
        "they ignored may be.",
        "Thresholds were declared beforehand, or chosen in the fold; the best of several looks better than it is, "
        "and a threshold picked from the figures below would need new subjects to be judged.",
    ]
    if data.is_within_subjects:
        limits.append(
            "For people with recordings of both classes: the models compare a subject's trials with each other. Of "
            "somebody with one recording, or with recordings of one class, they can say nothing; with fewer than "
            f"{ENOUGH} recordings, little."
        )
    if counts["test_numbers"] == 1:
        limits.append("One seed: how much training anew would change the numbers is not in the intervals.")
    limits += _simulated(data)
    return tuple(limits)
