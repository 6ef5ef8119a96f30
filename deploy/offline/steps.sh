# shellcheck shell=bash disable=SC2154
# Steps that are skipped when there is nothing to do, and say how long they took. A step's output goes to a log.

# step NAME RECIPE COMMAND...: runs COMMAND unless NAME was made by the same RECIPE before and is still there.
# made_NAME, NAME up to its first dash, is a function that says whether it is there.
step() {
  local name=$1 recipe=$2 log=$stack/log/$1.log began=$SECONDS code=0
  shift 2
  if [ "$(cat "$stack/made/$name" 2>/dev/null)" = "$recipe" ] && "made_${name%%-*}"; then
    say "$(printf '%-22s there already' "$name")"
    return
  fi
  rm -f "$stack/made/$name"
  printf '%-22s ' "$name"
  # Not `|| code=$?`: within a condition nothing that fails would end the step.
  set +e
  run_aside "$@" >"$log" 2>&1 </dev/null
  code=$?
  set -e
  if [ "$code" -ne 0 ]; then
    say 'FAILED'
    tail -n 15 "$log" >&2
    fail 1 "$name could not be made" "The whole of its output is in $log" "Run the same again when the cause is gone: what is done is kept."
  fi
  printf '%s\n' "$recipe" >"$stack/made/$name"
  say "$(printf '%4d s' $((SECONDS - began)))"
}

# In a process group of its own, which ends with us, at its first failure.
run_aside() {
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

# A directory for one build, removed when the (sub)shell that made it ends.
workshop() {
  work=$(mktemp -d "$stack/work.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
}

# recipe FILE-OR-TEXT...: a short name for exactly this content.
recipe() {
  local part
  for part in "$@"; do
    if [ -f "$part" ]; then cat "$part"; else printf '%s\n' "$part"; fi
  done | sha256sum | cut -c1-16
}

# Only one of these runs on a machine at a time; the second waits for the first.
take_turns() {
  mkdir -p "$stack/bin" "$stack/log" "$stack/made"
  command -v flock >/dev/null || return 0
  exec 9>"$stack/lock"
  flock -n 9 && return
  say 'another run is at it: waiting for it'
  flock -w 3600 9 || fail 1 'the other run has not ended within an hour' "Whether it still does anything is in $stack/log"
}
