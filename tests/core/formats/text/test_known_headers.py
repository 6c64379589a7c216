"""Header blocks of programs and devices, each written by hand as the program writes it."""

# ruff: noqa: E501, lines are as long as programs write them
from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from steps.core.formats.text.read import read_any
from steps.errors import UserError
from tests.conftest import ROOT
from tests.core.formats.text.helpers import numbers, read

REAL = ROOT.parent / "shared" / "data" / "formats"
NEEDS_REAL = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")

MOT = """Coordinates
version=1
nRows=3
nColumns=3
inDegrees={degrees}

Units are S.I. units (second, meters, Newtons, ...)
If the header above contains a line with 'inDegrees', this indicates whether rotational values are in degrees (yes).

endheader
time\tknee_angle_r\tpelvis_tx
      0.00000000\t     12.50000000\t      0.10000000
      0.01000000\t     13.50000000\t      0.20000000
      0.02000000\t     14.50000000\t      0.30000000
"""
STO = """Inverse Dynamics Generalized Forces
version=1
nRows=2
nColumns=3
inDegrees=no
endheader
time\tknee_angle_r_moment\tpelvis_tx_force
0.0\t1.5\t2.5
0.1\t1.6\t2.6
"""
TRC = """PathFileType\t4\t(X/Y/Z)\ttrial.trc
DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames
100.00\t100.00\t3\t2\tmm\t100.00\t1\t3
Frame#\tTime\tR.ASIS\t\t\tL.ASIS\t\t
\t\tX1\tY1\tZ1\tX2\tY2\tZ2

1\t0.000\t1.0\t2.0\t3.0\t4.0\t5.0\t6.0
2\t0.010\t1.1\t2.1\t3.1\t\t\t
3\t0.020\t1.2\t2.2\t3.2\t4.2\t5.2\t6.2
"""
V3D = (
    "\tC:\\S01\\a.c3d\tC:\\S01\\a.c3d\tC:\\S01\\a.c3d\tC:\\S01\\a.c3d\r\n"
    "\tRKneeAngle\tRKneeAngle\tFP1\tRKneeAngle\r\n"
    "\tLINK_MODEL_BASED\tLINK_MODEL_BASED\tFORCE\tLINK_MODEL_BASED\r\n"
    "\tORIGINAL\tORIGINAL\tORIGINAL\tORIGINAL\r\n"
    "ITEM\tX\tY\tX\tZ\r\n"
    "1\t1.5\t2.5\t3.5\t4.5\r\n"
    "2\t1.6\t2.6\t3.6\t4.6\r\n"
    "3\t1.7\t2.7\t\t4.7\r\n"
)
VICON = """Events
100
Subject,Context,Name,Time (s),Description
S01,Left,Foot Strike,1.52,
S01,Right,Foot Off,1.5,

Devices
1000
,,Imported AMTI - Force,,,EMG - Volts
Frame,Sub Frame,Fx,Fy,Fz,1
,,N,N,N,V
153,0,1,2,3,0.1
153,1,1,2,3,0.2
154,0,1,2,4,0.1

Model Outputs
100
,,S01:LKneeAngles,,
Frame,Sub Frame,X,Y,Z
,,deg,deg,deg
153,0,1.5,2.5,3.5
154,0,1.6,2.6,3.6

Trajectories
100
,,S01:LASI,,,S01:RASI,,,
Frame,Sub Frame,X,Y,Z,X',Y',Z'
,,mm,mm,mm,mm/s,mm/s,mm/s
153,0,10,20,30,1,2,3
154,0,11,21,31,,,
"""
DEVICES_ONLY = VICON[VICON.index("Devices") : VICON.index("Model")].replace("154,0", "153,2")
DLC = """scorer,DLC_resnet50,DLC_resnet50,DLC_resnet50,DLC_resnet50,DLC_resnet50,DLC_resnet50
bodyparts,snout,snout,snout,tail,tail,tail
coords,x,y,likelihood,x,y,likelihood
0,1.5,2.5,0.9,3.5,4.5,0.8
1,1.6,2.6,0.9,3.6,4.6,0.8
2,1.7,2.7,0.9,3.7,4.7,0.8
"""
MANY = DLC.replace("bodyparts,", "individuals,a,a,a,b,b,b\nbodyparts,", 1)
ACTIGRAPH = """------------ Data File Created By ActiGraph GT3X+ ActiLife v6.13.4 Firmware v1.9.2 date format M/d/yyyy at 30 Hz  Filter Normal -----------
Serial Number: MOS2D16160581
Start Time 17:33:00
Start Date 2/4/2015
Epoch Period (hh:mm:ss) 00:00:00
Download Time 11:20:13
Download Date 2/12/2015
Current Memory Address: 0
Current Battery Voltage: 3.92     Mode = 12
--------------------------------------------------
Accelerometer X,Accelerometer Y,Accelerometer Z
-0.123,0.456,0.789
-0.124,0.457,0.790
-0.125,0.458,0.791
"""
EPOCHS = ACTIGRAPH.replace(" at 30 Hz", "").replace("00:00:00", "00:00:10").replace("Accelerometer ", "Axis")
XSENS = """// Start Time: Unknown
// Sample rate: 100.0Hz
// Scenario: 11.1
// Firmware Version: 2.6.2
PacketCounter\tSampleTimeFine\tAcc_X\tAcc_Y
65534\t\t1.5\t2.5
65535\t\t1.6\t2.6
0\t\t1.7\t2.7
2\t\t1.8\t2.8
"""
DOT = """sep=,
DeviceTag:, DOT 1
FirmwareVersion:, 1.6.0
OutputRate:, 60Hz
PacketCounter,SampleTimeFine,Euler_X,Euler_Y
1,1000,0.5,1.5
2,17667,0.6,1.6
3,34333,0.7,1.7
"""
OPENSIGNALS = """# OpenSignals Text File Format
# {"00:07:80:79:6F:DB": {"position": 0, "device": "bitalino_rev", "device name": "00:07:80:79:6F:DB", "time": "11:40:0.11", \
"sampling rate": 1000, "label": ["A1", "A2"], "column": ["nSeq", "I1", "I2", "O1", "O2", "A1", "A2"], "date": "2016-7-8"}}
# EndOfHeader
0\t1\t1\t0\t0\t512\t300\t
1\t1\t1\t0\t0\t513\t301\t
2\t1\t1\t0\t0\t514\t302\t
"""
ACQ = """C:\\data\\S01.acq
2 msec/sample
2 channels
EDA (0 - 35 Hz)
microsiemens
ECG
mV
sec\tCH1\tCH2\t
\t3\t3\t
0\t5.1\t0.5\t
0.002\t5.2\t0.6\t
0.004\t5.3\t0.7\t
"""
LABCHART = """Interval=\t0.001 s
ExcelDateTime=\t4.1372510416666664e+004\t04/08/13 12:15:00
TimeFormat=\tStartOfBlock
DateFormat=\t
ChannelTitle=\tEDA\tECG
Range=\t40 µS\t10.000 V
UnitName=\tµS\tV
0\t5.1\t0.5
0.001\t5.2\t0.6
0.002\t5.3\t0.7
"""
QTM = """NO_OF_FRAMES\t3
NO_OF_CAMERAS\t8
NO_OF_MARKERS\t2
FREQUENCY\t200
NO_OF_ANALOG\t0
ANALOG_FREQUENCY\t0
DESCRIPTION\t--
TIME_STAMP\t2020-01-01, 10:00:00
DATA_INCLUDED\t3D
MARKER_NAMES\tLASI\tRASI
1.0\t2.0\t3.0\t4.0\t5.0\t6.0
1.1\t2.1\t3.1\t4.1\t5.1\t6.1
1.2\t2.2\t3.2\t4.2\t5.2\t6.2
"""
QTM_HEADER = QTM.replace("RASI\n", "RASI\nFrame\tTime\tLASI X\tLASI Y\tLASI Z\tRASI X\tRASI Y\tRASI Z\n", 1)
for _i in range(3):
    QTM_HEADER = QTM_HEADER.replace(f"\n1.{_i}\t", f"\n{_i + 1}\t{0.005 * _i}\t1.{_i}\t")


def test_opensim_motion_says_degrees_or_radians() -> None:
    table, _ = read(MOT.format(degrees="yes").encode(), "t.mot")
    assert table.table.column_names == ["time", "knee_angle_r", "pelvis_tx"]
    assert numbers(table, "time", "knee_angle_r") == [[0.0, 0.01, 0.02], [12.5, 13.5, 14.5]]
    assert table.units == {"knee_angle_r": "deg", "pelvis_tx": "m"}
    assert table.read_as == "OpenSim, angles in degrees"
    assert table.first_row == 12
    radians, _ = read(MOT.format(degrees="no").encode(), "t.mot")
    assert radians.units["knee_angle_r"] == "rad"
    assert radians.read_as == "OpenSim, angles in radians"
    forces, _ = read(STO.encode(), "t.sto")
    assert forces.units == {"knee_angle_r_moment": "N m", "pelvis_tx_force": "N"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MOT.format(degrees="yes").partition("      0.02")[0], r"says in its header that it has 3 rows, but holds 2"),
        (MOT.format(degrees="yes")[:-20], r"row 14 has 2 cells, expected 3"),
        (MOT.format(degrees="yes").replace("nColumns=3", "nColumns=4"), r"says nColumns=4, but names 3 columns in row 11"),
        (MOT.format(degrees="yes").partition("endheader")[0] + "endheader\n", r"ends with its header"),
        (TRC.partition("3\t0.02")[0], r"says in its header that it has 3 rows, but holds 2: it seems to be cut off"),
        (TRC.replace("Frame#\tTime", "Nobody\tTime"), r"row 4 begins with .*, expected Frame#, Time"),
        (V3D[: V3D.index("1\t1.5")] + "\r\n", r"ends with its header"),
        (V3D.replace("RKneeAngle\tRKneeAngle\tFP1\tRKneeAngle", "A\tA\tA\tA").replace("FORCE", "LINK_MODEL_BASED").replace("a.c3d\r", "b.c3d\r"),
         r"holds several recordings side by side \('C:.*a\.c3d', 'C:.*b\.c3d'\), expected one"),
        (VICON.replace("Frame,Sub Frame,X,Y,Z\n", "A,B\n"), r"row 16: the section Model Outputs has not the five rows"),
        (VICON.replace("Model Outputs\n100", "Model Outputs\nmany"), r"has the rate 'many', expected a number"),
        (OPENSIGNALS.replace("{", "["), r"second line is not the description"),
        (OPENSIGNALS.replace('"O2", ', ""), r"row 4 has 8 cells, but its header names 6|row 4 has 7 cells"),
        ("1593335798.0\n4.0\n0.5\n0.6\n", r"a file of an Empatica E4 .*, but its name says not .* columns=EDA"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_said(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_any(text.encode(), "t.txt")


def test_opensim_trajectories() -> None:
    table, _ = read(TRC.encode(), "t.trc")
    assert table.table.column_names == ["time", *(f"{m}_{axis}" for m in ("R.ASIS", "L.ASIS") for axis in "xyz")]
    assert numbers(table, "time", "L.ASIS_x") == [[0.0, 0.01, 0.02], [4.0, None, 4.2]]
    assert table.units["L.ASIS_z"] == "mm"
    trailing = TRC.replace("6.0\n", "6.0\t\n").replace("3.1\t\t\t\n", "3.1\t\t\t\t\n").replace("6.2\n", "6.2\t\n")
    assert numbers(read(trailing.encode(), "t.trc")[0], "L.ASIS_z") == [[6.0, None, 6.2]]


def test_visual3d_names_signals_and_components() -> None:
    table, _ = read(V3D.encode(), "t.txt")
    assert table.table.column_names == ["RKneeAngle_X", "RKneeAngle_Y", "FP1_X", "RKneeAngle_Z"]
    assert numbers(table, "FP1_X") == [[3.5, 3.6, None]]
    assert table.first_row == 6
    same = V3D.replace("FP1\t", "RKneeAngle\t").replace("RKneeAngle", "R")
    assert read(same.encode(), "t.txt")[0].table.column_names[2] == "FORCE_R_X"


def test_vicon_joins_sections_of_frames_and_says_what_it_leaves_out() -> None:
    table, _ = read(VICON.encode(), "t.csv")
    assert table.table.column_names == [
        "time", *(f"LKneeAngles_{axis}" for axis in "XYZ"), *(f"LASI_{axis}" for axis in "XYZ"),
        *(f"RASI_{axis}_velocity" for axis in "XYZ"),
    ]  # fmt: skip
    assert numbers(table, "time", "LASI_Z") == [[1.53, 1.54], [30.0, 31.0]]
    assert table.units["LKneeAngles_X"] == "deg"
    assert table.units["RASI_X_velocity"] == "mm/s"
    assert "Left out the section Devices, recorded at 1000 Hz" in table.notes[0]
    assert [(event.time, event.name) for event in table.events] == [(1.5, "Right Foot Off"), (1.52, "Left Foot Strike")]


def test_vicon_counts_sub_frames_of_devices() -> None:
    table, _ = read(DEVICES_ONLY.encode(), "t.csv")
    assert table.table.column_names[1] == "Imported AMTI - Force_Fx"
    np.testing.assert_allclose(np.diff(numbers(table, "time")[0]), 0.001)


def test_deeplabcut_names_body_parts_and_coordinates() -> None:
    table, _ = read(DLC.encode(), "t.csv")
    assert table.table.column_names[:4] == ["snout_x", "snout_y", "snout_likelihood", "tail_x"]
    assert numbers(table, "tail_y") == [[4.5, 4.6, 4.7]]
    assert read(MANY.encode(), "t.csv")[0].table.column_names[3] == "b_tail_x"


def test_actigraph_says_its_rate() -> None:
    table, _ = read(ACTIGRAPH.encode(), "t.csv")
    np.testing.assert_allclose(numbers(table, "time")[0], np.arange(3) / 30)
    assert table.read_as == "ActiGraph"
    assert table.first_row == 12
    epochs, _ = read(EPOCHS.encode(), "t.csv")
    assert numbers(epochs, "time") == [[0.0, 10.0, 20.0]]
    headerless = ACTIGRAPH.replace("Accelerometer X,Accelerometer Y,Accelerometer Z\n", "")
    assert read(headerless.encode(), "t.csv")[0].table.column_names == table.table.column_names
    commas = (
        ACTIGRAPH.partition("Accelerometer X")[0] + "Accelerometer X;Accelerometer Y\n0,125;0,25\n0,5;0,75\n0,5;0,5\n"
    )
    assert numbers(read(commas.encode(), "t.csv")[0], "Accelerometer Y") == [[0.25, 0.75, 0.5]]


def test_xsens_counts_packets_over_the_end_of_its_counter() -> None:
    table, _ = read(XSENS.encode(), "t.txt")
    assert table.table.column_names == ["time", "Acc_X", "Acc_Y"]
    np.testing.assert_allclose(numbers(table, "time")[0], [0.0, 0.01, 0.02, 0.04])  # a packet was lost
    dot, _ = read(DOT.encode(), "t.csv")
    assert dot.table.column_names == ["time", "Euler_X", "Euler_Y"]
    np.testing.assert_allclose(numbers(dot, "time")[0], np.arange(3) / 60)


def test_opensignals_names_columns_in_its_comment() -> None:
    table, _ = read(OPENSIGNALS.encode(), "t.txt")
    assert [name for name in table.table.column_names if "Unnamed" not in name] == ["time", "A1", "A2"]
    assert numbers(table, "time", "A2") == [[0.0, 0.001, 0.002], [300.0, 301.0, 302.0]]


def test_acqknowledge_counts_no_samples_as_values() -> None:
    table, _ = read(ACQ.encode(), "t.txt")
    assert [name for name in table.table.column_names if "Unnamed" not in name] == ["time", "EDA (0 - 35 Hz)", "ECG"]
    assert numbers(table, "time", "ECG") == [[0.0, 0.002, 0.004], [0.5, 0.6, 0.7]]
    assert table.units["ECG"] == "mV"
    no_scale = "\n".join(line.partition("\t")[2] if "\t" in line else line for line in ACQ.split("\n"))
    assert numbers(read(no_scale.encode(), "t.txt")[0], "time", "ECG") == numbers(table, "time", "ECG")


def test_labchart_names_channels_and_units() -> None:
    table, _ = read(LABCHART.encode(), "t.txt")
    assert numbers(table, "time", "EDA") == [[0.0, 0.001, 0.002], [5.1, 5.2, 5.3]]
    assert table.units == {"EDA": "µS", "ECG": "V"}
    assert table.first_row == 8


def test_qualisys_with_and_without_a_row_of_names() -> None:
    table, _ = read(QTM.encode(), "t.tsv")
    assert table.table.column_names == ["time", *(f"{marker}_{axis}" for marker in ("LASI", "RASI") for axis in "xyz")]
    assert numbers(table, "time", "RASI_y") == [[0.0, 0.005, 0.01], [5.0, 5.1, 5.2]]
    named, _ = read(QTM_HEADER.encode(), "t.tsv")
    assert named.table.column_names == table.table.column_names
    assert numbers(named, "time", "RASI_y") == numbers(table, "time", "RASI_y")
    without_time = QTM.replace("RASI\n", "RASI\nLASI X\tLASI Y\tLASI Z\tRASI X\tRASI Y\tRASI Z\n", 1)
    assert read(without_time.encode(), "t.tsv")[0].table.equals(table.table)
    with pytest.raises(UserError, match="has 3 rows, but holds 2"):
        read_any(QTM.partition("1.2")[0].encode(), "t.tsv")


@pytest.mark.parametrize(
    ("text", "column"), [(QTM.replace("4.1\t5.1\t6.1", "0.0\t0.0\t0.0"), "RASI_y"),
                         (TRC.replace("3.1\t\t\t", "3.1\t0.0\t0.0\t0.0"), "L.ASIS_y")]
)  # fmt: skip
def test_points_that_were_not_seen_are_written_as_zeros(text: str, column: str) -> None:
    table, _ = read(text.encode(), "t.trc")
    assert numbers(table, column) == [[5.0, None, 5.2]]
    assert table.notes[-1] == "Points at 0, 0, 0 were not seen; they are missing values."
    one_zero, _ = read(text.replace("0.0\t0.0\t0.0", "0.0\t0.0\t6.1").encode(), "t.trc")
    assert numbers(one_zero, column) == [[5.0, 0.0, 5.2]]


def test_empatica_counts_from_its_start() -> None:
    table, _ = read(b"1593335798.000000\n4.000000\n0.5\n0.6\n0.7\n", "S01/EDA.csv")
    assert numbers(table, "time", "EDA") == [[1593335798.0, 1593335798.25, 1593335798.5], [0.5, 0.6, 0.7]]
    assert table.units == {"EDA": "µS"}
    assert table.first_row == 3
    anonymised, _ = read(b"0.000000\n4.000000\n0.5\n0.6\n", "t1.csv", ("gsr",))
    assert numbers(anonymised, "time", "gsr") == [[0.0, 0.25], [0.5, 0.6]]
    assert read_any(b"0\n4\n0.5\n0.6\n", "t1.csv") is None  # numbers like any others


@NEEDS_REAL
def test_real_files() -> None:
    raw = (REAL / "opencap" / "walking1_videoAndMocap.mot").read_bytes()
    table, _ = read(raw, "walking.mot")
    lines = raw.decode().splitlines()
    assert table.table.num_rows == 158
    assert table.table.column_names == lines[10].split("\t")
    values = np.column_stack([table.table[name].to_numpy() for name in table.table.column_names])
    np.testing.assert_array_equal(values, np.array([line.split() for line in lines[11:]], dtype=float))
    for name, columns, rate in (("ACC", ["ACC_x", "ACC_y", "ACC_z"], 32), ("EDA", ["EDA"], 4), ("BVP", ["BVP"], 64)):
        raw = (REAL / "empatica_e4" / f"{name}.csv").read_bytes()
        table, _ = read(raw, f"{name}.csv")
        assert table.table.column_names == ["time", *columns]
        assert table.table.num_rows == len(raw.splitlines()) - 2
        assert np.diff(table.table["time"].to_numpy()[:3]).tolist() == [1 / rate] * 2
    assert read((REAL / "empatica_e4" / "IBI.csv").read_bytes(), "IBI.csv")[0].table.column_names == ["time", "IBI"]


def test_a_compressed_file_is_read_as_its_contents(tmp_path: Path) -> None:
    from steps.core.formats.file_table import RawFile
    from steps.core.formats.table import format_of, read_file

    kind = format_of("t.mot.gz")
    assert kind
    table = read_file(RawFile(gzip.compress(MOT.format(degrees="yes").encode()), "t.mot.gz"), kind)
    assert table.read_as == "OpenSim, angles in degrees"


def test_opensim_degrees_are_said_whatever_the_title() -> None:
    said = {read(MOT.replace("Coordinates", "walk1", 1).format(degrees=one).encode(), "t.mot")[0].read_as
            for one in ("yes", "no")}  # fmt: skip
    assert said == {"OpenSim, inDegrees=yes", "OpenSim, inDegrees=no"}
