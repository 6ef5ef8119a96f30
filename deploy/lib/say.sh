# shellcheck shell=bash
# Messages of these scripts: progress on standard output, errors with their remedy on standard error.

say() {
  printf '%s\n' "$*"
}

# fail EXIT-CODE WHAT CURE...: prints the error, then one remedy per line.
fail() {
  local code=$1 what=$2 cure
  shift 2
  printf '%s: %s\n' "${0##*/}" "$what" >&2
  for cure in "$@"; do printf '  %s\n' "$cure" >&2; done
  exit "$code"
}

# Prints the head comment of the running script as its help.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# usage_error WHAT: exits for an invalid command line.
usage_error() {
  fail 2 "$1" "See: ${0##*/} --help"
}

# require_value VALUE-COUNT FLAG: exits when a flag has no value.
require_value() {
  [ "$1" -ge 2 ] || usage_error "$2 needs a value"
}
