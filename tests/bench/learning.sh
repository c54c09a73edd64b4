#!/usr/bin/env bash
# Does every schedule learn? Trains on real CIFAR-100 for a few epochs under each and prints the comparison; fails unless
# held-out top-1 is clearly above chance (at least 10 %) for all. Usage: learning.sh TPBENCH [MODEL [EPOCHS [DATA_DIR]]]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tpbench=${1:?path of tpbench}
model=${2:-vgg16-bn}
epochs=${3:-3}
data=${4:-${TPBENCH_DATA:-$here/../../../shared/data}/cifar-100-binary}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$tpbench" --compare gpipe,pipedream,timeprest --model "$model" --dataset cifar100 --data-dir "$data" --epochs "$epochs" \
  --stages 2 --micro-batches 3 --batch 48 --order static --lr 0.01 --repeats 1 --db "$work/learning.db" | tee "$work/out"
sqlite3 -header -column "$work/learning.db" "SELECT schedule, epoch, round(train_loss, 3) AS train_loss,
  round(test_loss, 3) AS test_loss, round(100 * test_top1_share, 2) AS top1_percent,
  round(100 * test_top5_share, 2) AS top5_percent FROM epoch JOIN run USING (run_id) ORDER BY run_id, epoch"
below=$(sqlite3 "$work/learning.db" "SELECT count(*) FROM epoch WHERE epoch = $epochs AND test_top1_share < 0.10")
if ((below > 0)); then
  echo "learning.sh: $below of the schedules stay below 10 % top-1" >&2
  exit 1
fi
