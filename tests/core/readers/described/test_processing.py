"""The recipe of a study: what it does to trials and to whole recordings, for new people as for those of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import signal

from steps.core.data.artifact import write_artifact
from steps.core.readers.load import load_source, source_fingerprint
from steps.core.readers.new_recordings import read_source
from steps.errors import UserError
from tests.core.readers.described.studies import E4, SUBJECTS, described, write_e4

RATE, SAMPLES = 200, 300
TIME = np.arange(SAMPLES) / RATE
EMG = "process: [{highpass: {cutoff: 20, features: 'EMG*'}}, {envelope: {cutoff: 6, features: 'EMG*'}}]\n"
Doubles = npt.NDArray[np.float64]


def signals(seed: int, size: float = 1.0) -> Doubles:
    """Two features of a trial: an EMG of a size of its own, and a knee."""
    rng = np.random.default_rng(seed)
    return np.round(np.column_stack([size * rng.normal(size=SAMPLES), rng.normal(size=SAMPLES).cumsum()]), 6)


def write(file: Path, values: Doubles, time: Doubles | None = TIME, name: str = "time") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(values, columns=["EMG", "knee"])
    if time is not None:
        table.insert(0, name, time)
    table.to_csv(file, index=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four people, two trials each, in the usual layout; everybody's EMG is ten times that of the one before."""
    for number, (subject, label) in enumerate(SUBJECTS.items()):
        for trial in range(2):
            values = signals(2 * number + trial, 10.0**number)
            write(tmp_path / "study" / "participants" / subject / label / f"t{trial}.csv", values)
    return tmp_path / "study"


def enveloped(values: Doubles, rate: float = RATE) -> Doubles:
    """What `EMG` says, by SciPy."""
    high = signal.butter(4, 20, "highpass", fs=rate, output="sos")
    low = signal.butter(4, 6, "lowpass", fs=rate, output="sos")
    above = np.abs(signal.sosfiltfilt(high, values, padlen=15))
    return np.asarray(signal.sosfiltfilt(low, above, padlen=34))


def test_a_recipe_alone_is_enough_for_a_folder_in_the_usual_layout(folder: Path) -> None:
    dataset = load_source(str(folder), study=f"{{{EMG.strip()}}}")
    for i in range(8):
        raw = signals(i, 10.0 ** (i // 2))
        np.testing.assert_array_equal(dataset.values[i, :, 0], enveloped(raw[:, 0]).astype(np.float32))
        np.testing.assert_array_equal(dataset.values[i, :, 1], raw[:, 1].astype(np.float32))
    assert dataset.notes == (
        "Processed, in this order, trials: 'EMG': high-pass at 20 Hz (order 4); 'EMG': envelope at 6 Hz (order 4).",
    )
    assert EMG.strip() in dataset.description


def test_it_may_lie_in_the_folder_and_is_one_of_its_files(folder: Path) -> None:
    given = load_source(str(folder), study=f"{{{EMG.strip()}}}")
    before = source_fingerprint(described(folder, EMG))
    dataset = load_source(str(folder))
    np.testing.assert_array_equal(dataset.values, given.values)
    assert dataset.notes == given.notes
    described(folder, EMG.replace("6", "7"))
    assert source_fingerprint(str(folder)) != before


def test_nothing_changes_without_a_recipe(folder: Path) -> None:
    dataset = load_source(str(folder))
    same = load_source(str(folder), study="{process: []}")
    assert dataset.digest() == same.digest()


def test_milliseconds_are_seconds(folder: Path, tmp_path: Path) -> None:
    for file in (folder / "participants").rglob("*.csv"):
        table = pd.read_csv(file)
        write(tmp_path / "ms" / file.relative_to(folder), table[["EMG", "knee"]].to_numpy(), 1000 * TIME, "Time [ms]")
    given = load_source(str(folder), study=f"{{{EMG.strip()}}}")
    np.testing.assert_allclose(
        load_source(str(tmp_path / "ms"), study=f"{{{EMG.strip()}}}").values, given.values, rtol=1e-5
    )


def test_a_table_may_be_processed_as_well(folder: Path, tmp_path: Path) -> None:
    frames = [
        pd.read_csv(file).assign(subject=file.parts[-3], label=file.parts[-2], trial=file.stem)
        for file in sorted((folder / "participants").rglob("*.csv"))
    ]
    pd.concat(frames).to_csv(tmp_path / "table.csv", index=False)
    given = load_source(str(folder), study=f"{{{EMG.strip()}}}")
    found = load_source(str(tmp_path / "table.csv"), study=f"{{{EMG.strip()}}}")
    np.testing.assert_array_equal(found.values, given.values)


SCALED = "{process: [{rectify: }, {scale: {features: EMG}}, {derivative: {features: knee}}], units: {knee: deg}}"


def test_a_person_is_divided_by_their_own_size_and_by_nobody_elses(folder: Path) -> None:
    dataset = load_source(str(folder), study=SCALED)
    for subject in SUBJECTS:
        assert dataset.values[dataset.subjects == subject, :, 0].max() == 1.0
    assert dataset.units == {"knee": "deg/s"}
    write(folder / "participants" / "S4" / "calm" / "t1.csv", signals(7, 123.0))
    again = load_source(str(folder), study=SCALED)
    others = dataset.subjects != "S4"
    np.testing.assert_array_equal(again.values[others], dataset.values[others])
    assert not (again.values[~others] == dataset.values[~others]).all()


def test_trials_that_are_left_out_count_nothing(folder: Path) -> None:
    write(folder / "participants" / "S1" / "fear" / "t9.csv", signals(99, 1e6))
    with_it = load_source(str(folder), study=SCALED, exclude=(("S1", "t9"),))
    (folder / "participants" / "S1" / "fear" / "t9.csv").unlink()
    assert with_it.digest() == load_source(str(folder), study=SCALED).digest()


@pytest.mark.parametrize("labels", [True, False])
def test_new_people_are_processed_as_those_of_the_study(folder: Path, tmp_path: Path, labels: bool) -> None:
    dataset = load_source(str(folder), study=SCALED)
    new = tmp_path / "new" / "participants" / "N1"
    for trial in range(2):
        write((new / "calm" if labels else new) / f"t{trial}.csv", signals(trial, 1e3))
    found = read_source(str(tmp_path / "new"), known=dataset.description)
    assert len(found.recordings) == 2
    # S1 has the same signals a thousand times smaller: only its own recordings count.
    for trial, one in enumerate(found.recordings):
        np.testing.assert_allclose(one.values, dataset.values[trial], rtol=1e-4, atol=2e-6)
    assert found.notes[-1] == dataset.notes[-1]
    unprocessed = read_source(str(tmp_path / "new"), known=dataset.description, study="none")
    assert np.abs(unprocessed.recordings[0].values[:, 0]).max() > 1000
    assert unprocessed.notes[0].startswith("WARNING: study=none, so recordings were not processed")


def test_the_recipe_of_the_model_counts_more_than_that_of_new_recordings(folder: Path, tmp_path: Path) -> None:
    dataset = load_source(str(folder), study=f"{{{EMG.strip()}}}")
    write(tmp_path / "new" / "N1" / "a.csv", signals(0))
    own = "files: '{subject}/{trial}.csv'\n"
    found = read_source(described(tmp_path / "new", own), known=dataset.description)
    np.testing.assert_array_equal(found.recordings[0].values[:, 0], enveloped(signals(0)[:, 0]))
    assert not any("WARNING" in note for note in found.notes)
    other = read_source(described(tmp_path / "new", f"{own}process: [{{rectify: }}]\n"), known=dataset.description)
    np.testing.assert_array_equal(other.recordings[0].values, found.recordings[0].values)
    assert other.notes[0].startswith("WARNING: process of study.yaml is not that of the model's study")


def test_a_dataset_that_was_processed_otherwise_is_said(folder: Path, tmp_path: Path) -> None:
    dataset = load_source(str(folder), study=f"{{{EMG.strip()}}}")
    write_artifact(dataset, tmp_path / "dataset")
    source = str(tmp_path / "dataset")
    assert read_source(source, known=dataset.description).notes == dataset.notes
    for known in ("", SCALED):
        assert (
            read_source(source, known=known).notes[0].startswith(f"WARNING: signals of '{source}' were processed oth")
        )


def _long(folder: Path) -> Doubles:
    """One long recording for each of four people, with a stretch of each label."""
    folder.mkdir(exist_ok=True)
    whole = np.concatenate([signals(seed) for seed in range(4)])
    time = np.arange(len(whole)) / RATE
    for subject in SUBJECTS:
        write(folder / f"{subject}.csv", whole + len(subject), time)
    (folder / "events.csv").write_text(
        "subject,onset,duration,label\n" + "".join(f"{one},0.5,2,calm\n{one},3,2,fear\n" for one in SUBJECTS)
    )
    return whole + 2


CUT = (
    "files: '{subject}.csv'\n"
    "trials:\n  events: {files: events.csv, subject: subject, duration: duration, label: label}\n"
)


def test_whole_recordings_are_filtered_before_they_are_cut(tmp_path: Path) -> None:
    whole = _long(tmp_path)
    dataset = load_source(described(tmp_path, CUT + EMG), duplicates="allow")
    fear = dataset.values[(dataset.subjects == "S2") & (dataset.labels == 1)][0]
    expected = enveloped(whole[:, 0])[600:1000].astype(np.float32)
    np.testing.assert_array_equal(fear[:, 0], expected)
    np.testing.assert_array_equal(fear[:, 1], whole[600:1000, 1].astype(np.float32))


def test_from_the_first_step_about_trials_on_it_is_trials(tmp_path: Path) -> None:
    whole = _long(tmp_path)
    text = CUT + "process: [{rectify: }, {baseline: {end: 0.5}}, {derivative: }]\n"
    dataset = load_source(described(tmp_path, text), duplicates="allow")
    fear = dataset.values[(dataset.subjects == "S2") & (dataset.labels == 1)][0]
    trial = np.abs(whole)[600:1000]
    expected = np.gradient(trial - trial[:100].mean(axis=0), 1 / RATE, axis=0)
    np.testing.assert_allclose(fear, expected, rtol=1e-5, atol=1e-5)
    assert (
        "Processed, in this order, whole recordings: all features: rectified. Then trials: all features: less the "
        "mean from 0 to 0.5 s of each trial; all features: derivative."
    ) in dataset.notes


def test_filters_come_before_the_rate(tmp_path: Path) -> None:
    whole = _long(tmp_path)
    dataset = load_source(described(tmp_path, f"{CUT}rate: 50\n{EMG}"), duplicates="allow")
    assert dataset.values.shape == (8, 100, 2)
    fear = dataset.values[(dataset.subjects == "S2") & (dataset.labels == 1)][0]
    slow = signal.resample_poly(enveloped(whole[:, 0]), 1, 4, padtype="line")[150:250]
    np.testing.assert_allclose(fear[:, 0], slow, rtol=1e-5, atol=1e-6)


def test_each_source_is_processed_at_its_own_rate(tmp_path: Path) -> None:
    for number in range(4):
        write_e4(tmp_path / f"S{number}", seed=number)
    events = "trials:\n  events:\n    files: '{subject}/tags.csv'\n    between: [calm, fear]\n"
    text = f"{E4}{events}process: [{{lowpass: {{cutoff: 1.5, features: [BVP, ACC_y]}}}}]\n"
    plain = load_source(described(tmp_path, f"{E4}{events}"))
    dataset = load_source(described(tmp_path, text))
    is_changed = (dataset.values != plain.values).any(axis=(0, 1))
    assert [one for one, changed in zip(dataset.features, is_changed, strict=True) if changed] == ["BVP", "ACC_y"]
    raw = pd.read_csv(tmp_path / "S1" / "BVP.csv", header=None)[0].to_numpy()[2:]
    low = signal.sosfiltfilt(signal.butter(4, 1.5, fs=64, output="sos"), raw, padlen=43)
    slow = signal.resample_poly(low, 1, 16, padtype="line")
    calm = dataset.values[(dataset.subjects == "S1") & (dataset.labels == 0), :, 1][0]
    np.testing.assert_allclose(calm, slow[40:200], rtol=1e-4, atol=1e-5)


def test_gaps_are_filled_before_and_ends_cut_off(tmp_path: Path) -> None:
    whole = _long(tmp_path)
    gaps = whole.copy()
    gaps[700:703, 0] = np.nan
    gaps[:20, 0] = np.nan
    write(tmp_path / "S2.csv", gaps, np.arange(len(gaps)) / RATE)
    source = described(tmp_path, CUT + EMG)
    with pytest.raises(UserError, match=r"S2\.csv: 'EMG' holds no number in sample 1, a gap at an end; expected num"):
        load_source(source, max_gap=5, duplicates="allow")
    with pytest.raises(UserError, match=r"in sample 681, a gap of 3 samples; .* up to max_gap samples \(it is 2\)"):
        load_source(source, max_gap=2, trim=True, duplicates="allow")
    dataset = load_source(source, max_gap=5, trim=True, duplicates="allow")
    filled = np.array(pd.Series(gaps[20:, 0]).interpolate(), dtype=np.float64)
    fear = dataset.values[(dataset.subjects == "S2") & (dataset.labels == 1)][0]
    np.testing.assert_allclose(fear[:, 0], enveloped(filled)[580:980], rtol=1e-5, atol=1e-6)
    assert "Cut 20 samples with missing values at ends of recordings (trim)." in dataset.notes
    assert "Interpolated 3 samples (gaps of up to 5)." in dataset.notes


@pytest.mark.parametrize("path", ["{subject}/{label}/{side}_{trial}.csv", "{subject}/{label}/{trial}.csv"])
def test_left_limbs_are_mirrored(tmp_path: Path, path: str) -> None:
    in_columns = "side" not in path
    for number, (subject, label) in enumerate(SUBJECTS.items()):
        for trial, side in enumerate(("left", "right")):
            table = pd.DataFrame(signals(2 * number + trial), columns=["left_emg", "right_emg"])
            table = table.assign(time=TIME, knee=table["left_emg"] ** 2, **({"Side": side} if in_columns else {}))
            file = tmp_path / path.format(subject=subject, label=label, side=side, trial=f"t{trial}")
            file.parent.mkdir(parents=True, exist_ok=True)
            table.to_csv(file, index=False)
    text = f"files: '{path}'\n" + ("columns: {side: Side}\n" if in_columns else "")
    recipe = "process: [{mirror: {features: [knee], swap: [left, right], side: Left}}]\n"
    plain, dataset = load_source(described(tmp_path, text)), load_source(described(tmp_path, text + recipe))
    is_left = np.array(["left" in name for name in dataset.trials.tolist()])
    assert is_left.sum() == 4
    assert dataset.features == ("left_emg", "right_emg", "knee")
    np.testing.assert_array_equal(dataset.values[~is_left], plain.values[~is_left])
    np.testing.assert_array_equal(dataset.values[is_left], plain.values[is_left][:, :, [1, 0, 2]] * [1, 1, -1])
    assert dataset.notes[-1] == "Processed, in this order, trials: 4 of 8 trials mirrored (side Left)."


def test_one_trial_is_kept_as_it_was_to_be_looked_at(folder: Path, tmp_path: Path) -> None:
    dataset = load_source(str(folder), study=f"{{{EMG.strip()}}}")
    example = dataset.example
    assert example is not None
    assert (example.subject, example.trial, *example.before, *example.after) == ("S1", "t0", "EMG", "EMG")
    np.testing.assert_array_equal(example.before["EMG"], [TIME, signals(0)[:, 0]])
    np.testing.assert_array_equal(example.after["EMG"], [TIME, enveloped(signals(0)[:, 0])])
    assert load_source(str(folder)).example is None
    whole = _long(tmp_path / "long")
    source = described(tmp_path / "long", f"{CUT}rate: 50\n{EMG}")
    cut = load_source(source, duplicates="allow").example
    assert cut is not None
    assert (cut.subject, cut.trial) == ("S1", "e01")
    np.testing.assert_array_equal(cut.before["EMG"][1], whole[100:500, 0])
    assert len(cut.after["EMG"][0]) == 100
    assert load_source(source, duplicates="allow", exclude=(("S1", "e01"),)).example is None


KEYS = "parameter study, line 1: process"


@pytest.mark.parametrize(
    ("process", "message"),
    [
        ("[{lowpass: {cutof: 6}}]", f"{KEYS}.0.lowpass.cutoff is missing|key 'cutof' is not known in process.0.lowpass,"
         " expected features, cutoff, order; did you mean 'cutoff'?"),
        ("[{lopass: {cutoff: 6}}]", "key 'lopass' is not known in process.0, expected lowpass, .*; did you mean 'lowp"),
        ("{lowpass: {cutoff: 6}}", f"{KEYS} needs a list of steps in their order, as in process: "),
        ("[rectify]", f"{KEYS}.0 is 'rectify', expected keys"),
        ("[{lowpass: {cutoff: six}}]", f"{KEYS}.0.lowpass.cutoff is 'six', expected a number"),
        ("[{lowpass: {cutoff: 6, order: 2.5}}]", "order is '2.5', expected a whole number"),
        ("[{lowpass: {cutoff: 6, order: 11}}]", "order is '11', expected a number up to 10"),
        ("[{lowpass: {cutoff: 6}, rectify: }]", "process.0 names lowpass and rectify, expected one step in each item"),
        ("[{bandpass: {low: 9, high: 3}}]", "bandpass goes from 9 to 3 Hz, expected low below high"),
        ("[{scale: {by: sd}}]", "by is not known, expected 'max' or 'mean'"),
        ("[{baseline: {end: 0.1, start: -1}}]", "start is '-1', expected a number of at least 0"),
        ("[{mirror: {side: left}}]", "mirror says nothing, expected features .whose sign changes. or swap:"),
        ("[{mirror: {swap: [left]}}]", "expected two words in swap"),
        ("[{rectify: {features: emg}}]",
         "rectify: features names 'emg', which is no feature; there are 'EMG', 'knee'; d"
         "id you mean 'EMG'?"),
        ("[{mirror: {features: knee}}]", "process.mirror: 8 of 8 trials have no side, expected {side} in files"),
        ("[{lowpass: {cutoff: 100}}]",
         r"process.lowpass: 'EMG', 'knee' of participants/S1/fear/t0\.csv has 200 samples "
         r"per second, 100 Hz is not below half of that; expected less than 100 Hz, and time in seconds"),
        ("[{rectify: {features: []}}]", "process.0.rectify.features is a list, expected at least one"),
        ("[{highpass: {cutoff: 1e-9}}]", "for which 1e-09 Hz is too low to be computed; expected at least 0.0002 Hz"),
        ("[{notch: {frequency: 150, features: EMG}}]", r"'EMG' of participants.* 150 Hz is not below half"),
        ("[{baseline: {start: 1, end: 1.6}}]", r"participants/S1/fear/t0\.csv lasts 1\.495 seconds and has 100 samples "
         "from 1 to 1.6 s, expected a stretch that lies within every trial"),
    ],
)  # fmt: skip
def test_what_cannot_be_done(folder: Path, process: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        load_source(str(folder), study=f"{{process: {process}}}")


def test_recordings_that_cannot_be_filtered(folder: Path) -> None:
    file = folder / "participants" / "S3" / "calm" / "t1.csv"
    filters = "{process: [{lowpass: {cutoff: 6}}]}"
    write(file, signals(0)[:15], TIME[:15])
    with pytest.raises(
        UserError, match=r"t1\.csv holds 15 samples, the filter needs more than 15; expected longer .* or a lower order"
    ):
        load_source(str(folder), study=filters)
    write(file, signals(0), np.sort(TIME**1.2))
    with pytest.raises(UserError, match=r"t1\.csv: the clock is uneven .* expected even steps to filter"):
        load_source(str(folder), study=filters)
    write(file, signals(0) * [0, 1])
    write(file.with_name("t0.csv"), signals(1) * [0, 1])
    with pytest.raises(UserError, match=r"'EMG' of subject 'S3' is 0 in all 2 trials, .*\(exclude=S3\)"):
        load_source(str(folder), study="{process: [{scale: }]}")


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (None, r"t0\.csv has no time, expected a column of time in seconds"),
        (
            np.linspace(0, 100, SAMPLES),
            r"time of participants/.*t0\.csv and all others goes from 0 to 100, as percent do",
        ),
    ],
)
def test_without_seconds_nothing_is_filtered(folder: Path, time: Doubles | None, message: str) -> None:
    for number, file in enumerate((folder / "participants").rglob("*.csv")):
        write(file, signals(number), time)
    with pytest.raises(UserError, match=message):
        load_source(str(folder), study="{process: [{lowpass: {cutoff: 0.1}}]}")
    load_source(str(folder), study="{process: [{rectify: }]}")
