# shellcheck shell=bash
# Sourced by the scripts of this folder: where things are, said once. Leaves the shell at the top of the checkout.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tools that Debian does not package, what was built, and lint's memory of what was clean: outside the checkout, so that a fresh clone
# is quick too. It may be deleted at any time.
RTMIXD_CACHE="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rtmixd"
# shellcheck disable=SC2034  # For those who source this.
RTMIXD_NPM_BIN="$RTMIXD_CACHE/npm/node_modules/.bin"

export RTMIXD_BAZEL_FLAGS="${RTMIXD_BAZEL_FLAGS---disk_cache=$RTMIXD_CACHE/bazel}"

# bazel_run COMMAND ARGUMENT...: Bazel with the caller's own flags, RTMIXD_BAZEL_FLAGS (a number of jobs, another disk cache).
bazel_run() {
  local command="$1"
  shift
  local own_flags
  read -ra own_flags <<<"$RTMIXD_BAZEL_FLAGS"
  bazel ${RTMIXD_BAZEL_OUTPUT_BASE:+--output_base="$RTMIXD_BAZEL_OUTPUT_BASE"} \
    "$command" "${own_flags[@]}" "$@"
}
