#!/usr/bin/env bash
# VGG-16 on one core, tpbench against PyTorch: the same initial weights, the same CIFAR-100 samples in the same order.
#
#   torch_compare.sh TPBENCH [ROUNDS]
#
# Interleaves rounds of PyTorch (both memory formats) and tpbench (direct convolution, and the algorithm it chooses),
# prints the median samples/s of each with the ratio to the better PyTorch, and fails when the losses part.
# Exits 77 where PyTorch or the data is missing. The first epoch of each process warms up and is not counted.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tpbench=${1:?usage: torch_compare.sh TPBENCH [ROUNDS]}
rounds=${2:-3}
python=${PYTHON:-/usr/bin/python3}
data=${TPBENCH_DATA:-$here/../../../shared/data}/cifar-100-binary
batch=${BATCH:-64} mini_batches=${MINI_BATCHES:-6} epochs=${EPOCHS:-3}
core=${CORE:-0}

"$python" -c 'import torch, numpy' 2>/dev/null || { echo "skipped: $python has no torch (Debian: python3-torch)"; exit 77; }
[ -r "$data/train.bin" ] || { echo "skipped: no CIFAR-100 in $data (set TPBENCH_DATA)"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1

common=(run --model vgg16 --schedule sequential --stages 1 --batch "$batch" --dataset cifar100 --data-dir "$data"
	--shuffle off --augment off --mini-batches "$mini_batches" --lr 0.01 --momentum 0.9 --weight-decay 5e-4
	--db "$work/runs.db")
"$tpbench" "${common[@]}" --epochs 0 --save-weights "$work/start.safetensors" > /dev/null

for ((round = 1; round <= rounds; round++)); do
	for format in contiguous channels_last; do
		taskset -c "$core" "$python" "$here/torch_vgg16.py" --weights "$work/start.safetensors" --data "$data/train.bin" \
			--batch "$batch" --mini-batches "$mini_batches" --epochs "$epochs" --memory-format "$format" \
			> "$work/torch-$format.$round.json"
	done
	for conv in direct auto; do
		taskset -c "$core" "$tpbench" "${common[@]}" --epochs "$epochs" --load-weights "$work/start.safetensors" \
			--conv "$conv" --json > "$work/tpbench-$conv.$round.json"
	done
done

"$python" - "$work" "$rounds" << 'END'
import json
import statistics
import sys

folder, rounds = sys.argv[1], int(sys.argv[2])
# Rounding differs, and training carries it on; a wrong gradient parts the losses by far more.
TOLERANCE = 2e-3


def epochs_of(name, round):
    with open(f"{folder}/{name}.{round}.json") as file:
        content = json.load(file)
    return content["epochs"] if "epochs" in content else content["runs"][0]["epochs"]


names = ["torch-contiguous", "torch-channels_last", "tpbench-direct", "tpbench-auto"]
speeds = {name: [] for name in names}
for name in names:
    for round in range(1, rounds + 1):
        speeds[name] += [epoch["samples_per_s"] for epoch in epochs_of(name, round)[1:]]
medians = {name: statistics.median(speeds[name]) for name in names}
best = max(medians["torch-contiguous"], medians["torch-channels_last"])
print(f"{'':20} {'samples/s':>10} {'min':>7} {'max':>7} {'to PyTorch':>11}")
for name in names:
    print(f"{name:20} {medians[name]:10.1f} {min(speeds[name]):7.1f} {max(speeds[name]):7.1f} {medians[name] / best:11.2f}")

losses = {name: [epoch["train_loss"] for epoch in epochs_of(name, 1)] for name in names}
for name in names:
    print(f"{name:20} loss by epoch: " + " ".join(f"{loss:.6f}" for loss in losses[name]))
apart = max(abs(a - b) for name in names for a, b in zip(losses[name], losses["torch-contiguous"]))
if apart > TOLERANCE:
    sys.exit(f"losses part by {apart:.2g}, expected at most {TOLERANCE}")
print(f"losses agree within {apart:.1g}")
END
