# shellcheck shell=bash
# How these scripts speak: progress on standard output, trouble on standard error, always with its cure.

say() {
  printf '%s\n' "$*"
}

# fail EXIT-CODE WHAT CURE...: what is wrong, and on a line each what helps.
fail() {
  local code=$1 what=$2 cure
  shift 2
  printf '%s: %s\n' "${0##*/}" "$what" >&2
  for cure in "$@"; do printf '  %s\n' "$cure" >&2; done
  exit "$code"
}

# The comment at the head of the script that runs, as its help.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# wrong WHAT: a command line that cannot be understood.
wrong() {
  fail 2 "$1" "${0##*/} --help says what there is."
}

# needs VALUE-COUNT FLAG: a flag without its value.
needs() {
  [ "$1" -ge 2 ] || wrong "$2 needs a value"
}
