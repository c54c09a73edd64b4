#!/usr/bin/env bash
# What to run on a machine with an NVIDIA GPU: builds, holds the device cuda against the reference, looks at what the design
# takes for granted of a GPU, and measures. At most 8 minutes; each step has a share of them, and is passed, failed or skipped,
# with why. Results go to gpu-check-NAME.json, beside gpu-check.db and a log of each step.
#
#   gpu-check.sh [--out FOLDER] [--build FOLDER] [--only REGEX] [--stand-in]
#
#   --out FOLDER    for results (build/gpu-check)
#   --build FOLDER  a tree that is built, in place of building one
#   --only REGEX    steps by name; all others are skipped
#   --stand-in      on fakecuda, which needs no GPU and tells no times: a test of this script
#
# Exit status: 0 all that could run passed, 1 something failed, 2 wrong usage, 77 there is no GPU that can be used.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
limit_s=480
out=$root/build/gpu-check
build=$root/build/release
built=no
only=.
stand_in=

while (($#)); do
	case $1 in
	--stand-in) stand_in=fakecuda ;;
	--out | --build | --only)
		if (($# < 2)); then
			echo "gpu-check.sh: $1 wants a value" >&2
			exit 2
		fi
		case $1 in
		--out) out=$2 ;;
		--build) build=$2 built=yes ;;
		--only) only=$2 ;;
		esac
		shift
		;;
	*)
		echo "gpu-check.sh: expected --out, --build, --only or --stand-in, found '$1'" >&2
		exit 2
		;;
	esac
	shift
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
build=$(realpath -m "$build")
tpbench=$build/cli/tpbench
tests=$build/tests/cuda
stand_in=${stand_in:+$build/tests/fakecuda/libfakecuda.so}
database=$out/gpu-check.db

# --- steps ---------------------------------------------------------------------------------------------------------

steps=()   # JSON
results=() # JSON of benchmarks
failures=0

# Text as a JSON string.
quote() {
	local text
	text=$(printf '%s' "$1" | tr '\t\n' '  ' | tr -d '\000-\037')
	text=${text//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}

# note STEP STATE [WHY [SECONDS]]: on the stand-in no time is told, not even that of a test.
note() {
	local why=${3:-} seconds=${4:-}
	[[ $2 != failed ]] || failures=$((failures + 1))
	printf '%-26s %s%s\n' "$1" "$2" "${why:+: $why}"
	local json="{\"name\": $(quote "$1"), \"state\": \"$2\""
	[[ -z $why ]] || json+=", \"why\": $(quote "$why")"
	[[ -z $seconds || -n $stand_in ]] || json+=", \"seconds\": $seconds"
	steps+=("$json}")
}

# The line that tells most of a log: a reason to skip, cmocka's error, or the last.
reason() {
	local line
	line=$(grep -m 1 -E '^(ERROR: |tpbench: |Error: )|: (skipped|failed): ' "$1" || true)
	[[ -n $line ]] || line=$(grep -v '^ *$' "$1" | tail -n 1 || true)
	printf '%.300s' "$line"
}

# step NAME SECONDS COMMAND...: run it for at most its share of what is left; its output is the log. Returns 0 when it passed.
step() {
	local name=$1 share=$2 status=0 begun=$SECONDS left=$((limit_s - SECONDS))
	local log=$out/$name.log
	shift 2
	[[ -z $stand_in ]] || share=$((share * 2)) # machines without a GPU are slow, or busy
	if [[ $name != build* && ! $name =~ $only ]]; then
		note "$name" skipped "not in --only"
		return 1
	fi
	if ((left < 5)); then
		note "$name" skipped "the $limit_s s are over"
		return 1
	fi
	((share < left)) || share=$left
	timeout --kill-after=5 "$share" "$@" >"$log" 2>&1 || status=$?
	case $status in
	0) note "$name" passed "" $((SECONDS - begun)) ;;
	77) note "$name" skipped "$(reason "$log")" ;;
	124 | 137) note "$name" failed "did not end within its $share s" $((SECONDS - begun)) ;;
	*) note "$name" failed "status $status: $(reason "$log")" $((SECONDS - begun)) ;;
	esac
	return "$status"
}

# run_stored NAME SECONDS ARGUMENTS...: a run of tpbench; what it measured becomes a result.
run_stored() {
	local name=$1 share=$2 log=$out/$1.log
	shift 2
	step "$name" "$share" "$tpbench" run "$@" --device cuda --gpus 1 --evaluate off --augment off --timeout 60s \
		--db "$database" --name "gpu-check $name" --json || return 0
	results+=("{\"name\": $(quote "$name"), \"command\": $(quote "tpbench run $*"),
$(sed -n '/^  "schedules": \[/,/^  \]/p' "$log" | sed '$s/,$//')}")
}

write_json() { # DEVICE FILE
	local IFS=,
	cat >"$2" <<-END
		{"device": $(quote "$1"), "stand_in": $([[ -n $stand_in ]] && echo true || echo false),
		"doctor": $(quote "${doctor:-}"),
		"commit": $(quote "$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)"),
		"passed": $( ((failures == 0)) && echo true || echo false),
		"steps": [${steps[*]}],
		"facts": $([[ -s $out/facts.json ]] && cat "$out/facts.json" || echo null),
		"benchmarks": [${results[*]}]}
	END
	echo "$2"
}

# --- is there something to check? ----------------------------------------------------------------------------------

# end STATUS DEVICE NAME: with what is known until here.
end() {
	write_json "$2" "$out/gpu-check-$3.json"
	exit "$1"
}

# Only what is needed here: the 8 minutes hold no more.
build_targets() {
	cmake -S "$root" --preset release
	cmake --build "$build" --target "$@"
}
export -f build_targets
export root build

# build_step NAME SECONDS TARGET...
build_step() {
	if [[ $built == yes ]]; then
		note "$1" skipped "--build"
	else
		step "$1" "$2" bash -euo pipefail -c 'build_targets "$@"' build_targets "${@:3}" || end 1 none none
	fi
}

rm -f "$out"/*.log "$out/facts.json" "$database"
build_step build 180 tpbench
export TPBENCH_CUDA_PLUGIN=$build/lib/tpbench/libtpb_cuda.so
if [[ -n $stand_in ]]; then
	export TPBENCH_CUDA_RUNTIME=$stand_in
else
	unset TPBENCH_CUDA_RUNTIME
fi
doctor=$("$tpbench" doctor | sed -n 's/^  cuda  *//p')
if [[ $doctor != usable:* ]]; then
	note gpu skipped "$doctor"
	end 77 none none
fi
build_step build-tests 120 fakecuda test_cuda_layers test_cuda_kernels test_cuda_models test_cuda_pipeline_copy \
	test_cuda_pipeline_direct gpu_facts
device=${doctor#usable: }
device=${device%% (*}
[[ -z $stand_in ]] || device="fakecuda (no GPU)"
slug=$(printf '%s' "$device" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-//; s/-$//')

# --- is it right? --------------------------------------------------------------------------------------------------

on=(${stand_in:+"$stand_in"}) # how tests are told
step kernels 20 "$tests/test_cuda_kernels" "${on[@]}" || true
step operators 60 "$tests/test_cuda_layers" "${on[@]}" || true
if [[ -n $stand_in ]]; then
	step models 60 "$tests/test_cuda_models" "$stand_in" mlp || true
else
	step models 90 "$tests/test_cuda_models" mlp vgg11 vgg11-bn vgg16 || true
fi
for transport in copy direct; do
	step "pipelines-$transport" 60 "$tests/test_cuda_pipeline_$transport" "${on[@]}" "cuda-$transport" ${stand_in:+1} || true
done

sanitizer=$(command -v compute-sanitizer || command -v /usr/local/cuda/bin/compute-sanitizer || true)
for tool in memcheck racecheck; do
	if [[ -n $stand_in ]]; then
		note "$tool" skipped "the stand-in has no GPU's memory"
	elif [[ -z $sanitizer ]]; then
		note "$tool" skipped "compute-sanitizer is not installed"
	else
		step "$tool" 40 "$sanitizer" --tool "$tool" --error-exitcode 1 "$tests/test_cuda_kernels" || true
	fi
done
step facts 40 "$tests/gpu_facts" "$out/facts.json" "${on[@]}" || true

# --- how fast is it? -----------------------------------------------------------------------------------------------

model=vgg16 minis=30 maths=(fp32 tf32 bf16) batches=(96 256)
if [[ -n $stand_in ]]; then # a few small ones, for the command lines; they tell no times
	model=mlp minis=8 maths=(bf16) batches=(8)
fi
for batch in "${batches[@]}"; do
	for math in "${maths[@]}"; do
		run_stored "step-$model-$batch-$math" 20 sequential --model "$model" --batch "$batch" --micro-batches 1 \
			--math "$math" --mini-batches "$minis" --synthetic-train $((batch * minis))
	done
done
note "step-resnet50" skipped "there is no such model yet"
for stages in 2 4; do
	for schedule in gpipe pipedream timeprest; do
		for transport in cuda-copy cuda-direct; do
			run_stored "pipeline-$stages-$schedule-$transport" 15 "$schedule" --model "$model" --stages "$stages" \
				--micro-batches 4 --batch "${batches[0]}" --math "${maths[-1]}" --mini-batches "$minis" \
				--synthetic-train $((batches[0] * minis)) --transport "$transport" --profile kernels
		done
	done
	[[ -z $stand_in ]] || break
done
for profile in ops kernels; do
	run_stored "profile-$profile" 20 timeprest --model "$model" --stages 2 --micro-batches 4 --batch "${batches[0]}" \
		--math "${maths[-1]}" --mini-batches "$minis" --synthetic-train $((batches[0] * minis)) --epochs 6 \
		--profile "$profile" --profile-cost
done

end $((failures > 0)) "$device" "$slug"
