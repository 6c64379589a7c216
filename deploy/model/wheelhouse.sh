#!/bin/sh
# Collect all that serves a model where there is no network: the model, the packages it needs, and the guard.
#
#     . .venv/bin/activate                      # the project's environment: MLflow, Python 3.11
#     sh deploy/model/wheelhouse.sh models:/fear-classifier@champion fear-model
#
# The folder `fear-model` is then what an image is built from (docs/serve.md), or what is carried to the other machine.
# Packages come from wherever pip is set up to get them, for this Python and a machine like this one, as the model wants
# them: but TensorFlow without what only a GPU needs and MLflow without what only a tracking server needs. To have them
# as the model names them: TENSORFLOW=tensorflow MLFLOW=mlflow.
set -eu
if [ "$#" != 2 ]; then
    echo "usage: sh deploy/model/wheelhouse.sh MODEL FOLDER, such as models:/fear-classifier@champion fear-model" >&2
    exit 2
fi
set -- "$1" "${2%/}" # with the slash, what is being made would lie in what it is to become
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}
if [ -e "$2" ]; then
    echo "error: $2 is there already; name a new folder, or remove it" >&2
    exit 2
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$version" != 3.11 ]; then
    echo "error: $python is Python $version, expected 3.11 as in the image; set PYTHON" >&2
    exit 2
fi
making="$2.part"
rm -rf "$making"
mkdir -p "$making/wheelhouse"
making=$(cd "$making" && pwd)
trap 'rm -rf "$making"' EXIT

if ! MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false "$python" -m mlflow artifacts download --artifact-uri "$1" \
    --dst-path "$making/model" >"$making/log" 2>&1; then
    echo "error: cannot fetch $1 from ${MLFLOW_TRACKING_URI:-this folder}: $(tail -n 1 "$making/log")" >&2
    exit 2
fi
rm "$making/log"
if [ -d "$making/model/model" ]; then # of runs:/…/model MLflow makes a folder in the folder
    mv "$making/model" "$making/run"
    mv "$making/run/model" "$making/model"
    rmdir "$making/run"
fi
network=artifacts/network.keras
[ ! -e "$making/model/artifacts/network.onnx" ] || network=artifacts/network.onnx # made by export: no TensorFlow
for file in MLmodel requirements.txt scorer.py $network artifacts/training.json; do
    if [ ! -e "$making/model/$file" ]; then
        echo "error: $1 has no $file: it is not a final model of this project" >&2
        exit 2
    fi
done
if ! cmp -s "$making/model/scorer.py" "$here/../../steps/tracking/models/scorer.py"; then
    echo "note: the script inside the model is not this checkout's steps/tracking/models/scorer.py. It will be run:" \
        "read $2/model/scorer.py before you serve it." >&2
fi

sed -e "s/^tensorflow==/${TENSORFLOW:-tensorflow-cpu}==/" -e "s/^mlflow==/${MLFLOW:-mlflow-skinny}==/" \
    "$making/model/requirements.txt" >"$making/requirements.in"
# What these need in turn, in the versions that the project is tested with; the model's own stay its own.
sed -n 's/^ *- \([a-z0-9.-]*\)\(==[^ ]*\)$/\1 \2/p' "$here/../../conda.yaml" | while read -r name pin; do
    grep -q "^$name==" "$making/model/requirements.txt" || echo "$name$pin"
done >"$making/constraints.txt"
"$python" -m pip download --quiet --only-binary=:all: --dest "$making/wheelhouse" \
    --requirement "$making/requirements.in" --constraint "$making/constraints.txt"

# Every file with its SHA-256: what is installed later is what came here, or it is not installed.
"$python" - "$making/wheelhouse" >"$making/requirements.txt" <<'LOCK'
import hashlib, pathlib, sys
for wheel in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    name, version = wheel.name.split("-")[:2]
    print(f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
LOCK
rm "$making/requirements.in" "$making/constraints.txt"
cp "$here/guard.py" "$here/Dockerfile" "$making"
# Read by the image's account, whatever the umask here.
chmod -R u=rwX,go=rX "$making"
mv "$making" "$2"
trap - EXIT
echo "$2: $(ls "$2/wheelhouse" | wc -l) packages, $(du -sm "$2/wheelhouse" | cut -f1) MB; build it: docker build -t fear-model $2"
