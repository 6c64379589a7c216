"""Every parameter and every entry point, declared once.

The command lines of the steps and of the driver are made from these tables; so is ``MLproject`` (``make mlproject``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import click

from steps.core.baselines.choice import parse_baselines
from steps.core.data.cross_validation import CrossValidation
from steps.core.models.table import MODELS
from steps.errors import UserError
from steps.parameter_types import Parameter
from steps.parameter_types import Value as Value
from steps.parameter_values import (
    parse_class_weight,
    parse_exclude,
    parse_gates,
    parse_model_uri,
    parse_networks,
    parse_runs,
    parse_search,
    parse_source,
    parse_subjects,
    parse_threshold,
    parse_thresholds,
)
from steps.presets import PRESETS as PRESETS

_LIST_LENGTH = 100_000
CONFIG, PRESET = "config", "preset"


_PARAMETERS = (
    Parameter("cwd", ".", "folder that relative paths resolve against", is_folder=True),
    Parameter(CONFIG, "none", "file of parameters (YAML, name: value); what is given otherwise wins"),
    Parameter(PRESET, "none", "; ".join(f"{name}: {one.description}" for name, one in PRESETS.items()),
              choices=("none", *PRESETS)),
    Parameter("seed", 0, "seed of everything random", minimum=0, maximum=2**31 - 1),
    Parameter("run_name", "fear", "name of the run; folds are named {run_name}_{subject}_{test_number}",
              longest=150),
    Parameter("reuse", True, "skip a step when a finished run with the same inputs, parameters and code exists"),
    Parameter("register", True, "register the model fitted on all subjects as fear-classifier, alias challenger"),
    Parameter("output_dir", "results", "folder that receives tables as CSV, one folder per run, or 'none'"),
    Parameter("resume", True, "take over the finished folds of an interrupted training with the same identity"),
    # sync
    Parameter("prune", False, "remove a spool once its server has everything"),
    Parameter("to", "none", "file to write (studies: record.zip; a model: model.onnx), or server, http://host:5000"),
    Parameter("from", "none", "file of studies, record.zip, to copy into the store or server in use"),
    Parameter("delete", "none", "study to remove with all that is its own, by run ID; shown first"),
    Parameter("confirm", "none", "what 'delete' said has to be given to remove what it has shown"),
    # prepare
    Parameter("source", "simulated", "'simulated', a folder with participants/, a table (.csv …), or an address",
              read=parse_source),
    Parameter("study", "auto", "what files and columns are: study.yaml in the source ('auto'), a path, or 'none'"),
    Parameter("positive_label", "auto", "label that means fear; 'auto' works when there are two labels"),
    Parameter("label_kind", "binary", "what labels are: two, several classes in no order, ordered ones, or a score",
              choices=("binary", "classes", "ordered", "score")),
    Parameter("label_order", "none", "names of ordered classes, the lowest first, comma-separated; 'none': numbers"),
    Parameter("cut_off", "auto", "ordered level or score from which on it is fear; 'auto' parts subjects most evenly"),
    Parameter("timesteps", 0, "time points per trial after resampling; 0 = as recorded, or 101",
              minimum=0, maximum=100_000),
    Parameter("max_gap", 0, "interpolate gaps of up to this many samples; 0 = gaps are an error",
              minimum=0, maximum=100_000),
    Parameter("trim", False, "cut a trial's first and last samples where a value is missing"),
    Parameter("features", "all", "columns to take as features: names or globs, comma-separated, or 'all'"),
    Parameter("ignore", "none", "columns to leave out: names or globs, comma-separated, or 'none'"),
    Parameter("columns", "none", "names of the columns of files without a header, comma-separated, or 'none'"),
    Parameter("duplicates", "refuse", "recordings that are there twice: an error, or kept and noted",
              choices=("refuse", "allow")),
    Parameter("exclude", "none", "trials to leave out: subject/trial, or subject for all of theirs, comma-separated",
              longest=_LIST_LENGTH, read=parse_exclude),
    Parameter("simulated_subjects", 24, "subjects of the simulated study, half of them with fear",
              minimum=4, maximum=9999),
    Parameter("simulated_controls", 6, "control subjects of the simulated study", minimum=0, maximum=9999),
    Parameter("simulated_trials_min", 5, "fewest trials of a simulated subject", minimum=1, maximum=9999),
    Parameter("simulated_trials_max", 10, "most trials of a simulated subject", minimum=1, maximum=9999),
    Parameter("simulated_features", 24, "features of the simulated study", minimum=1, maximum=10_000),
    Parameter("simulated_effect", 1.0, "size of the simulated fear effect; 0 = none", minimum=0.0, maximum=1000.0),
    # train
    Parameter("dataset_uri", "latest", "URI of a dataset artifact, or 'latest'"),
    Parameter("model", "soft_multirocket", "; ".join(f"{name}: {row.description}" for name, row in MODELS.items()),
              choices=tuple(MODELS)),
    Parameter("cv", "loso", "'loso' (leave-one-subject-out, classes balanced), 'loso-plain' or 'group-kfold:K'",
              read=CrossValidation.of),
    Parameter("repeats", 1, "test numbers per fold, each with its own seed", minimum=1, maximum=1000),
    Parameter("subjects", "all", "test subjects, comma-separated, or 'all'", longest=_LIST_LENGTH,
              read=parse_subjects),
    Parameter("controls", "exclude", "control group in training", choices=("exclude", "negatives")),
    Parameter("normalise", "study", "'subject': standardise each subject by all of their own trials, of both classes",
              choices=("study", "subject")),
    Parameter("epochs", 60, "most epochs of a fold", minimum=1, maximum=1_000_000),
    Parameter("batch_size", 16, "trials per optimisation step", minimum=1, maximum=1_000_000),
    Parameter("precision", "float32", "in which numbers networks compute while training; mixed is for GPUs",
              choices=("float32", "mixed_bfloat16", "mixed_float16")),
    Parameter("learning_rate", 0.001, "initial learning rate of Adam", minimum=0.0, maximum=1000.0),
    Parameter("validation_fraction", 0.2, "share of the training subjects kept for early stopping, 1/2, 1/3, ...",
              minimum=0.05, maximum=0.5),
    Parameter("early_stopping_patience", 15, "epochs without a lower val_loss before stopping; 0 = never stop",
              minimum=0, maximum=1_000_000),
    Parameter("reduce_lr_patience", 6, "epochs without a lower val_loss before the learning rate is reduced; 0 = never",
              minimum=0, maximum=1_000_000),
    Parameter("reduce_lr_factor", 0.5, "factor of a learning rate reduction", minimum=0.01, maximum=0.99),
    Parameter("class_weight", "balanced", "'balanced', 'none' or 'w0,w1'", read=parse_class_weight),
    Parameter("log_level", "epoch", "how fine to log: curves too, results of each fold, or what later steps need",
              choices=("epoch", "run", "experiment")),
    # train, evaluate and attribute
    Parameter("scheduler", "local", "where to work: 'local', or the address of a Dask scheduler, tcp://host:8786"),
    Parameter("workers", "auto", "processes to work in, or 'auto': as many as cores and memory allow"),
    # evaluate and attribute
    Parameter("train_run_id", "latest", "run ID of a training, or 'latest'"),
    Parameter("thresholds", "0.5,0.43,0.35", "decision thresholds, comma-separated", read=parse_thresholds),
    Parameter("baselines", "majority,logistic",
              "methods to compare with: some of majority, logistic, boosting, minirocket, multirocket, "
              "comma-separated, or 'none'",
              read=parse_baselines),
    Parameter("learning_curve", False, "also AUC against how many subjects train, and how many people it would take"),
    Parameter("leak_check", False,
              "compare folds of people with random folds of trials: how much would be knowing the person"),
    Parameter("method", "integrated_gradients", "from one baseline, or expected_gradients: from many drawn trials",
              choices=("integrated_gradients", "expected_gradients")),
    Parameter("attribution_steps", 32, "quadrature points of Integrated Gradients", minimum=2, maximum=10_000),
    Parameter("attribution_baseline", "mean", "what trials are compared with", choices=("zero", "mean", "control")),
    Parameter("attribution_baseline_trials", 32, "trials that expected_gradients draws as baselines",
              minimum=1, maximum=100_000),
    Parameter("target", 1, "class whose probability is attributed: 1 = fear, 0 = no fear", minimum=0, maximum=1),
    # tune
    Parameter("trials", 30, "settings that each search tries", minimum=1, maximum=10_000),
    Parameter("inner_folds", 3, "groups of a fold's training subjects by which a search judges settings",
              minimum=2, maximum=1000),
    Parameter("search", "all", "parameters to search, comma-separated, or 'all' that are declared for the network",
              read=parse_search),
    Parameter("networks", "none", "networks that a search may choose beside model, comma-separated, or 'none'",
              read=parse_networks),
    Parameter("explained_class", "auto", "of several classes: whose probability is attributed; ordered: from which on"),
    # predict
    Parameter("model_uri", "models:/fear-classifier@challenger",
              "models:/<name>@<alias>, models:/<name>/<version>, models:/m-..., runs:/<run id>/model, or an address",
              read=parse_model_uri),
    Parameter("threshold", "auto", "decision threshold, or 'auto': what the model's version says, else 0.5",
              read=parse_threshold),
    Parameter("error_rate", 0.1, "how often an answer may be wrong, else it is \"don't know\"; 0 = no answers",
              minimum=0.0, maximum=0.5),
    # compare
    Parameter("runs", "latest,previous",
              "two trainings, first minus second: run IDs, 'latest', 'previous', or one of them and a baseline",
              read=parse_runs),
    # promote
    Parameter("rollback", False, "make the champion before the champion again, and judge nothing"),
    Parameter("min_auc", 0.5, "the interval of subjects' AUC has to lie above this", minimum=0.5, maximum=0.99),
    Parameter("margin", 0.1, "by how much of subjects' AUC a challenger may be worse than the champion, at most",
              minimum=0.001, maximum=0.5),
    Parameter("max_calibration_error", 0.25, "largest expected calibration error over trials",
              minimum=0.001, maximum=1.0),
    Parameter("max_completeness_error", 0.01, "largest completeness error of an attribution, of the output change",
              minimum=1e-6, maximum=1.0),
    Parameter("skip_gates", "none",
              "gates that do not decide, on your responsibility: some of auc, champion, calibration, completeness, "
              "audit, signature, rollback, comma-separated, or 'none'",
              read=parse_gates),
    # monitor
    Parameter("labels", "none", "CSV with subject, label and perhaps trial: labels that came later"),
    Parameter("alarm", 0.01, "p value of drift at which a batch is an alarm", minimum=0.0005, maximum=0.2),
    # export
    Parameter("overwrite", False, "write the file even where there is one"),
    # check
    Parameter("timeout", 3.0, "seconds to wait for a tracking server's answer", minimum=0.1, maximum=600.0),
    Parameter("mend", False, "give a store that was moved or copied its new places, after keeping a copy of it"),
    # reproduce
    Parameter("run_id", "latest", "run ID of a run, or 'latest' for the newest finished study (sync: or 'all')"),
    Parameter("strict", False, "refuse to reproduce with other code than the run's"),
)  # fmt: skip

# Where commands are typed, and what a file says itself.
NOT_IN_FILES = ("cwd", CONFIG)
PARAMETERS: Mapping[str, Parameter] = {parameter.name: parameter for parameter in _PARAMETERS}

# Older name -> name. Older runs recorded the older names; command lines take them for one more version.
RENAMED: Mapping[str, str] = {
    "steps": "attribution_steps",
    "baseline": "attribution_baseline",
    "baseline_trials": "attribution_baseline_trials",
}

_PREPARE = (
    "source", "study", "positive_label", "label_kind", "label_order", "cut_off", "timesteps", "max_gap", "trim",
    "features", "ignore", "columns", "duplicates",
    "exclude", "simulated_subjects", "simulated_controls", "simulated_trials_min", "simulated_trials_max",
    "simulated_features", "simulated_effect",
)  # fmt: skip
_TRAIN = (
    "model", "cv", "repeats", "subjects", "controls", "normalise", "epochs", "batch_size", "precision", "learning_rate",
    "validation_fraction", "early_stopping_patience", "reduce_lr_patience", "reduce_lr_factor", "class_weight",
    "resume", "log_level",
)  # fmt: skip
_EVALUATE = ("thresholds", "baselines", "leak_check", "learning_curve")
_ATTRIBUTE = (
    "method", "attribution_steps", "attribution_baseline", "attribution_baseline_trials", "target", "explained_class",
)  # fmt: skip
_COMPUTE = ("scheduler", "workers")
# How a network is trained, and on whom.
_FIT = tuple(name for name in _TRAIN if name not in ("repeats", "resume", "log_level"))
_WHERE = (CONFIG, PRESET, "cwd")

_PREDICTIONS = ("subject", "trial", "label", "test_number", "probability")


@dataclass(frozen=True)
class Step:
    """An entry point.

    Attributes:
        parameters: names of what it takes, rows of `PARAMETERS`.
        tags: of its run, which the driver hands on to later steps.
        tables: CSV artifacts of its run that are read back, with columns that they must have.
        reproducible: whether `reproduce` can run it again and compare.
    """

    parameters: tuple[str, ...]
    tags: tuple[str, ...] = ()
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reproducible: bool = False


STEPS: Mapping[str, Step] = {
    "main": Step(
        ("run_name", "seed", "reuse", "register", "output_dir", *_PREPARE, *_TRAIN, *_EVALUATE, *_ATTRIBUTE, *_COMPUTE,
         *_WHERE),
        reproducible=True,
    ),
    "prepare": Step(
        (*_PREPARE, "seed", *_WHERE),
        tags=("dataset_uri", "dataset_digest"),
        reproducible=True,
    ),
    "train": Step(
        ("dataset_uri", *_TRAIN, *_COMPUTE, "seed", "run_name", "output_dir", *_WHERE),
        tags=("dataset_uri", "dataset_digest", "final_model_run_id", "final_model_uri"),
        reproducible=True,
    ),
    "evaluate": Step(
        ("train_run_id", *_EVALUATE, *_COMPUTE, "seed", "output_dir", *_WHERE),
        tables={
            "results.csv": _PREDICTIONS,
            "subjects.csv": ("subject", "label", "trials", "probability"),
            "in_fold_thresholds.csv": ("subject", "test_number", "fold", "threshold"),
        },
        reproducible=True,
    ),
    "attribute": Step(
        ("train_run_id", *_ATTRIBUTE, *_COMPUTE, "seed", "output_dir", *_WHERE),
        tables={
            "feature_importance.csv": ("feature", "importance", "sd", "rank"),
            "attribution_map.csv": ("feature",),
            "class_trajectories.csv": (),
            "time_importance.csv": (),
            "importance_by_outcome.csv": (),
            "deletion_insertion.csv": (),
        },
        reproducible=True,
    ),
    "compare": Step(("runs", "thresholds", "seed", "cwd")),
    "tune": Step(
        ("dataset_uri", "trials", "inner_folds", "search", "networks", *_FIT, "resume", "thresholds", *_COMPUTE,
         "seed", "output_dir", *_WHERE),
    ),
    "predict": Step(
        ("model_uri", "source", "study", "threshold", "error_rate", "max_gap", "trim", "features", "ignore", "columns",
         "attribution_steps", "attribution_baseline", "seed", *_WHERE),
    ),
    "monitor": Step(("model_uri", "labels", "alarm", "seed", "cwd")),
    "sync": Step(("prune", "to", "from", "run_id", "delete", "confirm", "cwd")),
    "promote": Step(("model_uri", "rollback", "min_auc", "margin", "max_calibration_error", "max_completeness_error",
                     "skip_gates", *_WHERE)),
    "export": Step(("model_uri", "to", "overwrite", "cwd")),
    "check": Step(
        ("timeout", "mend", "seed", *_PREPARE, *_TRAIN, *_EVALUATE, *_ATTRIBUTE, *_COMPUTE, *_WHERE),
    ),
    "reproduce": Step(("run_id", "strict", "cwd")),
}  # fmt: skip


def renamed(recorded: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """Recorded parameters under the names that this version gives them."""
    return {RENAMED.get(name, name): value for name, value in recorded.items()}


def without_older_names(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters from a command line, with what was given under an older name under its name, and a note on stderr.

    Raises:
        UserError: a parameter was given under both names, with different values. Its default is what MLflow fills in,
            and counts as not given.
    """
    parameters = {name: value for name, value in given.items() if name not in RENAMED}
    for older, name in RENAMED.items():
        if (value := given.get(older)) is None:
            continue
        if parameters[name] not in (value, PARAMETERS[name].default):
            raise UserError(
                f"{older} is {value!r} and {name} is {parameters[name]!r}, expected one of them: "
                f"{older} is called {name} now, leave {older} out"
            )
        click.echo(f"note: parameter {older} is called {name} now", err=True)
        parameters[name] = value
    return parameters


def options(entry_point: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a click command with one ``--name`` option per parameter of ``entry_point``, older names hidden."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for older, name in RENAMED.items():
            if name in STEPS[entry_point].parameters:
                kind = replace(PARAMETERS[name], name=older).click_type()  # an error says the name that was given
                function = click.option(f"--{older}", older, type=kind, default=None, hidden=True)(function)
        for name in reversed(STEPS[entry_point].parameters):
            parameter = PARAMETERS[name]
            option = click.option(
                f"--{name}",
                name,
                type=parameter.click_type(),
                default=parameter.default,
                show_default=True,
                help=parameter.help,
            )
            function = option(function)
        return function

    return decorate
