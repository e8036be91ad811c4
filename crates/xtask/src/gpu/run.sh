#!/usr/bin/env bash
# Runs the parity tests and the benchmarks of programs.tar.xz on this machine's GPU. What they say
# goes to the terminal and to results/ beside this script, or to the folder that OUT names.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here/results}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

{
    date -u
    uname -srm
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null
} >"$out/machine.txt" || true
cat "$out/machine.txt"
tar -C "$work" -xJf "$here/programs.tar.xz" || exit 1

failed=()
# run LOG PROGRAM ARGUMENTS..: one program after the other, each with a log and a bound on its time.
run() {
    local log=$1
    shift
    echo "=== [$SECONDS s] $log"
    timeout "${LIMIT:-600}" "$@" 2>&1 | tee "$out/$log.txt" || failed+=("$log")
}
for program in "$work"/tests/*; do
    [ -x "$program" ] && run "tests-${program##*/}" "$program" --test-threads=1
done
for program in "$work"/benches/*; do
    [ -x "$program" ] && run "benches-${program##*/}" "$program" --bench
done

echo "=== [$SECONDS s] done"
for log in "${failed[@]}"; do
    echo "FAILED: $log"
done
[ "${#failed[@]}" = 0 ]
