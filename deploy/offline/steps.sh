# shellcheck shell=bash disable=SC2154
# Steps that are skipped when their result exists, and print their duration. A log gets the output of a step.

# step NAME RECIPE COMMAND...: runs COMMAND unless the same RECIPE has built NAME and the result still exists.
# The function has_NAME, with NAME up to its first dash, checks for the result.
step() {
  local name=$1 recipe=$2 log=$stack/log/$1.log began=$SECONDS code=0
  shift 2
  if [ "$(cat "$stack/made/$name" 2>/dev/null)" = "$recipe" ] && "has_${name%%-*}"; then
    say "$(printf '%-22s exists' "$name")"
    return
  fi
  rm -f "$stack/made/$name"
  printf '%-22s ' "$name"
  # Not `|| code=$?`: `set -e` has no effect within a condition.
  set +e
  run_in_group "$@" >"$log" 2>&1 </dev/null
  code=$?
  set -e
  if [ "$code" -ne 0 ]; then
    say 'FAILED'
    tail -n 15 "$log" >&2
    fail 1 "building $name failed" "Its complete output is in $log" "Fix the cause and run the same command again: it keeps completed steps."
  fi
  printf '%s\n' "$recipe" >"$stack/made/$name"
  say "$(printf '%4d s' $((SECONDS - began)))"
}

# Runs a command in its own process group, which ends with this script, and at its first failure.
run_in_group() {
  local child
  set -m
  (set -euo pipefail; "$@") &
  child=$!
  set +m
  # shellcheck disable=SC2064
  trap "interrupted $child" INT TERM HUP
  wait "$child"
}

interrupted() {
  kill -TERM -- "-$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
  exit 130
}

# Creates a directory for one build and removes it when the (sub)shell exits.
make_workdir() {
  work=$(mktemp -d "$stack/work.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
}

# content_hash FILE-OR-TEXT...: a short hash of this content.
content_hash() {
  local part
  for part in "$@"; do
    if [ -f "$part" ]; then cat "$part"; else printf '%s\n' "$part"; fi
  done | sha256sum | cut -c1-16
}

# Only one run at a time per machine; a second one waits for the first.
acquire_lock() {
  mkdir -p "$stack/bin" "$stack/log" "$stack/made"
  command -v flock >/dev/null || return 0
  exec 9>"$stack/lock"
  flock -n 9 && return
  say 'waiting for another run to end'
  flock -w 3600 9 || fail 1 'the other run has not ended within an hour' "Check its progress in $stack/log"
}
