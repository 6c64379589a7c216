"""A recording's files become pieces: each of them a trial, with its name, its time and its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from steps.core.formats.file_table import Event
from steps.core.formats.text.container import unpacked
from steps.core.readers.choice import Choice, check_patterns
from steps.core.readers.columns import IDENTITIES, Columns, Lines, Parsed, features_of
from steps.core.readers.described import cutting
from steps.core.readers.described.cutting import Stretch
from steps.core.readers.described.description import Description
from steps.core.readers.described.event_files import EventFiles, own_stretches
from steps.core.readers.described.found import Found, subject_name, trial_name
from steps.core.readers.described.joining import Signals, filled, joined, joint_names, rate_of, resampled
from steps.core.readers.described.one_file import parse_file
from steps.core.readers.described.piece import Piece
from steps.core.readers.described.said_in_columns import cells, who_and_what
from steps.core.readers.described.schema import OWN
from steps.core.readers.described.sidecars import read_sidecars
from steps.core.readers.described.whole_recordings import WholeRecordings
from steps.core.readers.file_tables import NOT_USED, Told, of_sources
from steps.core.readers.identities import clean
from steps.core.readers.long_table import row_major
from steps.core.readers.resample import Doubles
from steps.core.readers.seconds import unit_of_time
from steps.core.readers.text_files import Texts
from steps.errors import UserError, shown, shown_path


@dataclass
class Reading:
    """Reads recordings one after the other, and counts what is to be said about them.

    Attributes:
        description: of the study.
        choice: which columns are wanted.
        raw: bytes of a file, by its path.
        events: of all recordings.
        labelled: whether events and labels have to be there.
        wholes: processes signals of whole recordings.
        features: names of the features, known after the first recording.
        first: the first recording, as messages name it.
        own_events: those that the last file held.
        beside: units of features, as sidecars say them.
    """

    description: Description
    choice: Choice
    raw: Callable[[str], bytes]
    events: EventFiles | None
    labelled: bool = True
    wholes: WholeRecordings = field(default_factory=WholeRecordings)
    features: tuple[str, ...] = ()
    texts: dict[str, Texts] = field(default_factory=dict)
    columns: Columns = field(default_factory=lambda: Columns({}))
    rates: dict[str, float] = field(default_factory=dict)
    first: str = ""
    own_events: tuple[Event, ...] = ()
    beside: dict[str, str] = field(default_factory=dict)
    _files: int = 0
    _names: dict[str, None] = field(default_factory=dict)
    _left_out: dict[str, None] = field(default_factory=dict)
    _cut: Counter[str] = field(default_factory=Counter)

    def pieces(self, found: Found) -> list[Piece]:
        """The trials of a recording.

        Raises:
            UserError: anything is wrong with its files, or it cannot be cut.
        """
        study = self.description.study
        self.wholes.begin()
        if study.sources:
            signals = self._joined(found)
            rows = np.arange(len(signals.time)) + 1
            return self._cut_up(found, dict(found.said), signals, None, rows)
        parsed = self._parsed("", found.files[""], self.choice, found)
        features = features_of(parsed.table.column_names)
        self._check_features(features, found.name)
        values = row_major(parsed.table, self.features)
        lines = parsed.lines if parsed.lines is not None else np.arange(len(values)) + parsed.first_row
        time = parsed.table["time"].to_numpy() if "time" in parsed.table.column_names else None
        whole_label = study.trials is not None and "label" in parsed.table.column_names and not study.trials.events
        pieces: list[Piece] = []
        for said, own in who_and_what(parsed, found, self.choice, but="label" if whole_label else ""):
            if not self.cuts:
                seconds = unit_of_time(parsed) if self.wholes.processing.steps else 1.0
                times = None if time is None else time[own] * seconds
                pieces.append(self._piece(found, said, "", times, values[own], lines[own]))
                continue
            if time is None:
                raise UserError(
                    f"{found.name} has no time, which rate and trials need; expected columns: time: (a column in "
                    "seconds)"
                )
            seconds = time[own] * unit_of_time(parsed)
            cutting.check_forward(seconds, found.name, lines[own])
            labels = clean(cells(parsed.table["label"]), "label") if whole_label else None
            signals = Signals(found.name, self.features, seconds, values[own])
            pieces += self._cut_up(
                found, said, signals, None if labels is None else [labels[i] for i in own], lines[own]
            )
        return pieces

    def notes(self) -> list[str]:
        """What was recognised, joined and cut, one sentence each."""
        study = self.description.study
        notes = [note for one in self.texts.values() for note in one.told.notes()] + self.columns.notes
        if study.sources:
            notes = of_sources({name: one.told for name, one in self.texts.items()})
        if study.trials and study.trials.events and study.trials.events.files == OWN:
            notes = [note for note in notes if not note.startswith(NOT_USED)]
        if self._left_out:
            notes += Columns({}, tuple(self._left_out)).notes
        if study.rate:
            told = ", ".join(f"{name + ' at ' if name else ''}{rate:g}" for name, rate in self.rates.items())
            notes.append(
                f"{'Joined and resampled' if study.sources else 'Resampled'} {told} samples per second to "
                f"{study.rate:g} (polyphase; what is faster than {study.rate / 2:g} Hz is filtered away)."
            )
        notes += self.wholes.notes(" before that" if study.rate else "")
        if self._cut["recordings"]:
            cut = self._cut
            notes.append(
                f"Cut {cut['recordings']} recordings into {cut['pieces']} trials; {cut['seconds']} of {cut['of']} "
                "seconds are in none."
            )
        if self._cut["short"]:
            notes.append(f"{self._cut['short']} stretches are shorter than a window and were left out.")
        notes += cutting.placed_in_two_ways(self._cut["on the clock"], self._cut["from the start"])
        if self._cut["without events"]:
            notes.append(f"{self._cut['without events']} recordings have no events, all of each was taken.")
        return notes

    @property
    def cuts(self) -> bool:
        """Whether recordings are resampled or cut, so that steps of the recipe come before that."""
        study = self.description.study
        return bool(study.sources or study.trials or study.rate)

    @property
    def is_one_table(self) -> bool:
        """Whether all trials stand in one file, in its order."""
        return self._files == 1 and self.description.study.trials is None

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns that were not taken."""
        return (*self.columns.left_out, *self._left_out)

    @property
    def units(self) -> dict[str, str]:
        """Units of features, as far as files say."""
        units = {name: unit for one in self.texts.values() for name, unit in one.told.units.items()} | self.beside
        return {name: unit for name, unit in units.items() if name in self.features}

    def check_ignored(self) -> None:
        """Check that all that is to be left out was there.

        Raises:
            UserError: it was not.
        """
        check_patterns("ignore", self.choice.ignore, self._names, self.description.name)

    def _parsed(self, source: str, path: str, choice: Choice, found: Found) -> Parsed:
        raw = self.raw(path)
        sidecar = read_sidecars({one: self.raw(one) for one in found.sidecars.get(path, ())})
        theirs = {one.rpartition("/")[2]: self.raw(one) for one in found.companions}
        if sidecar.columns and not choice.columns:
            choice = replace(choice, columns=sidecar.columns_of(unpacked(raw, shown_path(path))))

        def beside(name: str) -> bytes:
            if name not in theirs:
                raise UserError(f"{shown_path(path)} needs the file {shown(name)}, which is not beside it")
            return theirs[name]

        texts = self.texts.setdefault(source, Texts(Told(), choice))
        texts.choice = choice
        parsed, self.own_events = parse_file(raw, path, choice, texts, beside)
        parsed = sidecar.with_time(parsed)
        self.beside |= sidecar.units_of(parsed)
        self._names |= dict.fromkeys(parsed.names)
        self._files += 1
        if not source:
            self.columns = self.columns.merged_with(parsed.columns) if self.first else parsed.columns
        return parsed

    def _joined(self, found: Found) -> Signals:
        rate = self.description.study.rate or 0.0
        choice = replace(self.choice, features=())
        parts = {}
        unread: list[str] = []
        for source, path in found.files.items():
            parsed, name = self._parsed(source, path, choice, found), shown_path(path)
            if "time" not in parsed.table.column_names:
                raise UserError(
                    f"{name} has no time, which joining sources needs; expected columns: time: (in seconds)"
                )
            if odd := [column for column in parsed.table.column_names if column in IDENTITIES]:
                raise UserError(
                    f"{name} has a column {shown(odd[0])}; expected features and time in each of several sources"
                )
            unread += parsed.columns.left_out
            features = features_of(parsed.table.column_names)
            time = parsed.table["time"].to_numpy() * unit_of_time(parsed)
            cutting.check_forward(time, name, np.arange(len(time)) + parsed.first_row)
            parts[source] = Signals(name, features, time, row_major(parsed.table, features))
        for source, names in joint_names(parts).items():
            parts[source] = self._filled(self.wholes.processed(replace(parts[source], features=names)))
            self.rates.setdefault(source, float(f"{rate_of(parts[source]):.6g}"))
        name = shown_path(found.name.rpartition("/")[0]) or found.name
        whole = joined(parts, rate, name)
        self._names |= dict.fromkeys(whole.features)
        kept = [i for i, one in enumerate(whole.features) if self.choice.takes(one) and not self.choice.leaves_out(one)]
        check_patterns("features", self.choice.features, whole.features, name)
        self._left_out |= dict.fromkeys(unread)
        self._left_out |= dict.fromkeys(one for i, one in enumerate(whole.features) if i not in kept)
        features = tuple(whole.features[i] for i in kept)
        self._check_features(features, name)
        order = [features.index(one) for one in self.features]
        return Signals(name, self.features, whole.time, whole.values[:, [kept[i] for i in order]])

    def _filled(self, signals: Signals) -> Signals:
        signals, count = filled(signals, self.wholes.max_gap)
        self.wholes.filled += count
        return signals

    def _check_features(self, features: Sequence[str], name: str) -> None:
        if not self.features:
            if not features:
                raise UserError(f"{name} has no feature that is taken; expected features to name one")
            self.features, self.first = tuple(features), name
        for one in self.features:
            if one not in features:
                raise UserError(f"{name} has no feature {shown(one)}, which {self.first} has")
        for one in features:
            if one not in self.features:
                raise UserError(f"{name} has an additional feature {shown(one)}, which {self.first} has not")

    def _piece(
        self, found: Found, said: Mapping[str, str], cut: str, time: Doubles | None, values: Doubles, lines: Lines
    ) -> Piece:
        study = self.description.study
        subject = subject_name(said, study.subject, self.description.where("subject"))
        stem = "" if cut or study.sources else found.stem
        name = trial_name(said, stem, study.subject)
        if cut:
            told = trial_name(said, "", study.subject)
            name = cut if told == trial_name({}, "", None) else f"{told}_{cut}"
        of_columns = [key for key in ("subject", "label", "trial") if key not in found.said and said.get(key)]
        inside = ", ".join([*(f"{key} {shown(said[key])}" for key in of_columns), *([cut] if cut else [])])
        origin = f"{found.name} ({inside})" if inside else found.name
        return Piece(said, subject, name, origin, time, np.ascontiguousarray(values), lines)

    def _cut_up(
        self, found: Found, said: dict[str, str], signals: Signals, labels: Sequence[str] | None, lines: Lines
    ) -> list[Piece]:
        study, trials = self.description.study, self.description.study.trials
        stretches = [cutting.whole(signals.time)]
        if labels is not None:
            stretches = cutting.of_one_label(signals.time, labels)
        if not study.sources and self.wholes.processing.of_recordings:
            recorded = signals.time
            signals = self.wholes.processed(signals)
            if len(signals.time) != len(recorded):
                lines = lines[np.clip(np.searchsorted(recorded, signals.time), 0, len(lines) - 1)]
            stretches = stretches if labels is not None else [cutting.whole(signals.time)]
        if study.rate and not study.sources:
            signals = self._filled(signals)
            self.rates.setdefault("", float(f"{rate_of(signals):.6g}"))
            signals = resampled(signals, study.rate)
            lines = np.arange(len(signals.time)) + 1
        if trials and trials.events and trials.events.files == OWN:
            where = self.description.where("trials", "events")
            own = own_stretches(self.own_events, trials.events, signals.name, where)
            stretches = self._on_the_clock(own, signals, signals.name)
        elif self.events:
            stretches = self._events(self.events, said, signals)
        if trials is None:
            piece = self._piece(found, said, "", signals.time, signals.values, lines)
            self.wholes.keep_first(piece.subject, piece.trial, cutting.whole(signals.time), self.features)
            return [piece]
        windows = trials.windows
        cut = [one for stretch in stretches for one in cutting.windows_in(stretch, windows)] if windows else stretches
        if windows and not cut and stretches:
            cutting.refuse_windows(stretches, windows, signals.name)
        if windows:
            self._cut["short"] += sum(not cutting.windows_in(one, windows) for one in stretches)
        pieces = []
        used = np.zeros(len(signals.time), dtype=np.bool_)
        for one in cut:
            rows = cutting.rows_of(one, signals.time)
            if rows.stop - rows.start < 2:
                raise UserError(
                    f"{signals.name}: {one.name} from {one.start:.15g} to {one.end:.15g} holds "
                    f"{rows.stop - rows.start} samples, expected at least 2; are times in seconds? another unit is "
                    "said in the name of the column: 'time [ms]'"
                )
            used[rows] = True
            of_piece = {**said, "label": one.label} if one.label else said
            pieces.append(self._piece(found, of_piece, one.name, signals.time[rows], signals.values[rows], lines[rows]))
        if pieces:
            self.wholes.keep_first(pieces[0].subject, pieces[0].trial, cut[0], self.features)
        step = cutting.usual_step(signals.time)
        self._cut["recordings"] += 1
        self._cut["pieces"] += len(pieces)
        self._cut["of"] += round(len(used) * step)
        self._cut["seconds"] += round(int((~used).sum()) * step)
        return pieces

    def _events(self, events: EventFiles, said: Mapping[str, str], signals: Signals) -> list[Stretch]:
        subject = subject_name(said, self.description.study.subject, self.description.where("subject"))
        found = events.of(subject, said, signals.name)
        if found is None:
            if self.labelled:
                raise UserError(
                    f"{events.where}: there are no events for {signals.name} (subject {shown(subject)}), expected "
                    "some for every recording"
                )
            self._cut["without events"] += 1
            return [cutting.whole(signals.time)]
        where, stretches = found
        return self._on_the_clock(stretches, signals, where)

    def _on_the_clock(self, stretches: Sequence[Stretch], signals: Signals, where: str) -> list[Stretch]:
        placed = cutting.on_the_clock(stretches, signals.time, signals.name, where)
        if stretches and abs(signals.time[0]) > cutting.usual_step(signals.time):  # else both ways are the same
            self._cut["on the clock" if placed[0].start == stretches[0].start else "from the start"] += 1
        return placed
