# shellcheck shell=bash disable=SC2154
# Settings of .env: parsed as Compose parses them, and checked first.

# setting KEY: a variable of the shell takes precedence over .env, even an empty one where empty has a meaning.
setting() {
  if [ -n "${!1:-}" ] || { [ "${!1+set}" = set ] && may_be_empty "$1"; }; then printf '%s\n' "${!1}"; else sed -n "s/^$1=//p" "$here/.env"; fi
}

setting_keys() {
  sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' "$here/.env"
}

# Keys that compose.yaml uses, and the one that Compose itself uses.
used_keys() {
  { grep -oE '(^|[^$])\$\{[A-Z_]+:[?-]' "$here/compose.yaml" | grep -oE '[A-Z_]+'; echo COMPOSE_PROJECT_NAME; } | sort -u
}

port_keys() {
  setting_keys | grep '_PORT$'
}

# Replaces the images of .env.
use_offline_images() {
  set -a
  # shellcheck disable=SC1091
  . "$here/offline.env"
  set +a
}

invalid() {
  fail 2 "$1=$2 in deploy/.env or your shell: $3" "Expected: $4." "The committed value: git show HEAD:deploy/.env | grep ^$1="
}

check_settings() {
  local key line cpus=''
  [ -r "$here/.env" ] || fail 2 "$here/.env is not readable" 'Restore it: git checkout deploy/.env'
  # Compose 2 replaces $NAME by the variable; Compose 1 does not.
  line=$(grep -nvE '^([A-Z_]+=[^ "'\''$]*|#.*|)$' "$here/.env" | head -n 1) || true
  # The message omits the value, which may be a secret.
  [ -z "$line" ] || fail 2 "deploy/.env, line ${line%%:*} is invalid" 'A line is KEY=value, without spaces, quotes and $, or a comment that begins with #.'
  for key in $(setting_keys); do
    used_keys | grep -qx "$key" ||
      fail 2 "$key in deploy/.env is an unknown setting" "Known settings: $(used_keys | paste -sd ' ' -)"
    check_value "$key" "$(setting "$key")"
  done
  for key in $(used_keys); do
    may_be_empty "$key" || [ -n "$(setting "$key")" ] || fail 2 "$key is missing in deploy/.env" "Restore it: git show HEAD:deploy/.env | grep ^$key="
  done
  check_ports_differ
}

may_be_empty() {
  [ "$1" = PAGE_TOKEN ] || [ "$1" = PPROF_PORT ]
}

check_value() {
  local key=$1 value=$2
  if [ -z "$value" ] && may_be_empty "$key"; then return; fi
  case $key in
    *_PORT) [[ $value =~ ^[1-9][0-9]{0,4}$ && $value -le 65535 ]] || invalid "$key" "$value" 'is not a port' 'a number from 1 to 65535' ;;
    *_GOMEMLIMIT)
      [[ $value =~ ^[1-9][0-9]{0,5}MiB$ ]] || invalid "$key" "$value" 'is not a memory limit of Go' 'whole mebibytes, such as 200MiB'
      [ "${value%MiB}" -lt "$(mebibytes "$(setting "${key%GOMEMLIMIT}MEMORY")")" ] ||
        invalid "$key" "$value" "is not below ${key%GOMEMLIMIT}MEMORY" "about four fifths of ${key%GOMEMLIMIT}MEMORY" ;;
    *_MEMORY)
      [[ $value =~ ^[1-9][0-9]{0,8}[kmg]$ ]] || invalid "$key" "$value" 'is not a size' 'a number with k, m or g, such as 160m'
      [ "$(mebibytes "$value")" -ge 16 ] || invalid "$key" "$value" 'is too small' 'at least 16m' ;;
    *_CPUS)
      cpus=${cpus:-$(docker info --format '{{.NCPU}}')}
      if ! [[ $value =~ ^[0-9]+(\.[0-9]{1,2})?$ ]] || ! awk "BEGIN { exit !($value > 0 && $value <= $cpus) }"; then
        invalid "$key" "$value" "is not a share of the $cpus available CPUs" "a number above 0 and up to $cpus, such as 0.50"
      fi ;;
    *_IMAGE) [[ $value =~ ^[a-z0-9][a-zA-Z0-9._/:@-]*$ ]] || invalid "$key" "$value" 'is not an image' 'name:tag' ;;
    LATE_SEED_SECONDS) [[ $value =~ ^[0-9]{1,2}$ && $value -le 60 ]] || invalid "$key" "$value" 'is not a duration' 'whole seconds from 0 to 60' ;;
    MESH_CONNECTIONS_HIGH) check_integer "$key" "$value" 2 10000 ;;
    MESH_NEIGHBOURS)
      check_integer "$key" "$value" 1 64
      [ "$value" -le "$(setting MESH_CONNECTIONS_HIGH)" ] || invalid "$key" "$value" 'is above MESH_CONNECTIONS_HIGH' "at most $(setting MESH_CONNECTIONS_HIGH)" ;;
    MESH_TRACE_ROUTINE) [[ $value =~ ^(0(\.[0-9]{1,6})?|1)$ ]] || invalid "$key" "$value" 'is not a share' 'a number from 0 to 1, such as 0.1' ;;
    MESH_STALENESS_MS) check_integer "$key" "$value" 1000 3600000 ;;
    # At least one batch of the Collector.
    QUEUE_ITEMS) check_integer "$key" "$value" 2048 100000000 ;;
    SPANS_FILES | SPANS_FILE_MB) check_integer "$key" "$value" 1 10000 ;;
    CALLS_LIMIT) check_integer "$key" "$value" 100 1000000 ;;
    SERIES_EXPIRATION | JAEGER_TTL) [[ $value =~ ^[1-9][0-9]*[hms]$ ]] || invalid "$key" "$value" 'is not a duration' 'a number with h, m or s, such as 25h' ;;
    NODE_LOG_LEVEL)
      [[ $value =~ ^(trace|debug|info|warn|error|fatal|silent)$ ]] || invalid "$key" "$value" 'is not a log level' 'trace, debug, info, warn, error, fatal or silent' ;;
    PROMETHEUS_KEEPS) [[ $value =~ ^[1-9][0-9]*[hdwy]$ ]] || invalid "$key" "$value" 'is not a duration' 'a number with h, d, w or y, such as 15d' ;;
    PROMETHEUS_KEEPS_AT_MOST) [[ $value =~ ^[1-9][0-9]*[MG]B$ ]] || invalid "$key" "$value" 'is not a size' 'a number with MB or GB, such as 1GB' ;;
    PAGE_TOKEN) [[ $value =~ ^[A-Za-z0-9._~+/=-]{16,256}$ ]] || invalid "$key" '(hidden)' "is not a token (${#value} characters)" '16 to 256 letters, digits and . _ ~ + / = -, or none' ;;
    COMPOSE_PROJECT_NAME) [[ $value =~ ^[a-z0-9][a-z0-9_-]*$ ]] || invalid "$key" "$value" 'is not a project name' 'lower-case letters, digits, - and _' ;;
  esac
}

# check_integer KEY VALUE MIN MAX
check_integer() {
  [[ $2 =~ ^[1-9][0-9]{0,8}$ && $2 -ge $3 && $2 -le $4 ]] || invalid "$1" "$2" 'is out of range' "a whole number from $3 to $4"
}

# In MiB, rounded down.
mebibytes() {
  case $1 in
    *k) printf '%d\n' $((${1%k} / 1024)) ;;
    *g) printf '%d\n' $((${1%g} * 1024)) ;;
    *) printf '%d\n' "${1%m}" ;;
  esac
}

check_ports_differ() {
  local key twice
  twice=$(for key in $(port_keys); do setting "$key"; done | sort | uniq -d | head -n 1)
  [ -z "$twice" ] || fail 2 "port $twice is assigned twice in deploy/.env: $(for key in $(port_keys); do [ "$(setting "$key")" != "$twice" ] || printf '%s ' "$key"; done)" 'Assign a different port to each.'
}
