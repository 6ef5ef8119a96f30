# shellcheck shell=bash disable=SC2154
# The settings of .env: read as Compose reads them, checked before it does.

# setting KEY: a variable of the shell wins over the line in .env; an empty one, too, where that means something.
setting() {
  if [ -n "${!1:-}" ] || { [ "${!1+set}" = set ] && may_be_empty "$1"; }; then printf '%s\n' "${!1}"; else sed -n "s/^$1=//p" "$here/.env"; fi
}

setting_keys() {
  sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' "$here/.env"
}

# Those that compose.yaml asks for, and the one that Compose itself does.
used_keys() {
  { grep -oE '(^|[^$])\$\{[A-Z_]+:[?-]' "$here/compose.yaml" | grep -oE '[A-Z_]+'; echo COMPOSE_PROJECT_NAME; } | sort -u
}

port_keys() {
  setting_keys | grep '_PORT$'
}

# Images in place of those of .env.
use_offline_images() {
  set -a
  # shellcheck disable=SC1091
  . "$here/offline.env"
  set +a
}

bad() {
  fail 2 "$1=$2 in deploy/.env or your shell: $3" "Give it $4." "What the repository has: git show HEAD:deploy/.env | grep ^$1="
}

check_settings() {
  local key line cpus=''
  [ -r "$here/.env" ] || fail 2 "$here/.env cannot be read" 'Bring it back: git checkout deploy/.env'
  # Compose 2 puts a variable in the place of what follows a $, and Compose 1 does not.
  line=$(grep -nvE '^([A-Z_]+=[^ "'\''$]*|#.*|)$' "$here/.env" | head -n 1) || true
  # Its value may be a secret.
  [ -z "$line" ] || fail 2 "deploy/.env, line ${line%%:*}" 'A line is KEY=value, without spaces, quotes and $, or a comment that begins with #.'
  for key in $(setting_keys); do
    used_keys | grep -qx "$key" ||
      fail 2 "$key in deploy/.env is no setting" "Those there are: $(used_keys | paste -sd ' ' -)"
    check_value "$key" "$(setting "$key")"
  done
  for key in $(used_keys); do
    may_be_empty "$key" || [ -n "$(setting "$key")" ] || fail 2 "$key is missing in deploy/.env" "Bring it back: git show HEAD:deploy/.env | grep ^$key="
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
    *_PORT) [[ $value =~ ^[1-9][0-9]{0,4}$ && $value -le 65535 ]] || bad "$key" "$value" 'is no port' 'a number from 1 to 65535' ;;
    *_GOMEMLIMIT)
      [[ $value =~ ^[1-9][0-9]{0,5}MiB$ ]] || bad "$key" "$value" 'is no size that Go knows' 'whole mebibytes, such as 200MiB'
      [ "${value%MiB}" -lt "$(mebibytes "$(setting "${key%GOMEMLIMIT}MEMORY")")" ] ||
        bad "$key" "$value" "is not below ${key%GOMEMLIMIT}MEMORY" "about four fifths of ${key%GOMEMLIMIT}MEMORY" ;;
    *_MEMORY)
      [[ $value =~ ^[1-9][0-9]{0,8}[kmg]$ ]] || bad "$key" "$value" 'is no size' 'a number with k, m or g, such as 160m'
      [ "$(mebibytes "$value")" -ge 16 ] || bad "$key" "$value" 'is too little for anything' 'at least 16m' ;;
    *_CPUS)
      cpus=${cpus:-$(docker info --format '{{.NCPU}}')}
      if ! [[ $value =~ ^[0-9]+(\.[0-9]{1,2})?$ ]] || ! awk "BEGIN { exit !($value > 0 && $value <= $cpus) }"; then
        bad "$key" "$value" "is no share of the $cpus CPUs that there are" "a number above 0 and up to $cpus, such as 0.50"
      fi ;;
    *_IMAGE) [[ $value =~ ^[a-z0-9][a-zA-Z0-9._/:@-]*$ ]] || bad "$key" "$value" 'is no image' 'name:tag' ;;
    LATE_SEED_SECONDS) [[ $value =~ ^[0-9]{1,2}$ && $value -le 60 ]] || bad "$key" "$value" 'is no time' 'whole seconds from 0 to 60' ;;
    MESH_MAX_PEERS) whole "$key" "$value" 2 10000 ;;
    MESH_NEIGHBOURS)
      whole "$key" "$value" 1 64
      [ "$value" -le "$(setting MESH_MAX_PEERS)" ] || bad "$key" "$value" 'is above MESH_MAX_PEERS' "at most $(setting MESH_MAX_PEERS)" ;;
    MESH_TRACE_ROUTINE) [[ $value =~ ^(0(\.[0-9]{1,6})?|1)$ ]] || bad "$key" "$value" 'is no share' 'a number from 0 to 1, such as 0.1' ;;
    MESH_STALENESS_MS) whole "$key" "$value" 1000 3600000 ;;
    # Not below what the Collector sends at once.
    QUEUE_ITEMS) whole "$key" "$value" 2048 100000000 ;;
    SPANS_FILES | SPANS_FILE_MB) whole "$key" "$value" 1 10000 ;;
    CALLS_LIMIT) whole "$key" "$value" 100 1000000 ;;
    SERIES_EXPIRATION | JAEGER_TTL) [[ $value =~ ^[1-9][0-9]*[hms]$ ]] || bad "$key" "$value" 'is no time' 'a number with h, m or s, such as 25h' ;;
    NODE_LOG_LEVEL)
      [[ $value =~ ^(trace|debug|info|warn|error|fatal|silent)$ ]] || bad "$key" "$value" 'is no level' 'trace, debug, info, warn, error, fatal or silent' ;;
    PROMETHEUS_KEEPS) [[ $value =~ ^[1-9][0-9]*[hdwy]$ ]] || bad "$key" "$value" 'is no time' 'a number with h, d, w or y, such as 15d' ;;
    PROMETHEUS_KEEPS_AT_MOST) [[ $value =~ ^[1-9][0-9]*[MG]B$ ]] || bad "$key" "$value" 'is no size' 'a number with MB or GB, such as 1GB' ;;
    PAGE_TOKEN) [[ $value =~ ^[A-Za-z0-9._~+/=-]{16,256}$ ]] || bad "$key" '(hidden)' "is no token (${#value} characters)" '16 to 256 letters, digits and . _ ~ + / = -, or none' ;;
    COMPOSE_PROJECT_NAME) [[ $value =~ ^[a-z0-9][a-z0-9_-]*$ ]] || bad "$key" "$value" 'is no project name' 'lower-case letters, digits, - and _' ;;
  esac
}

# whole KEY VALUE LEAST MOST
whole() {
  [[ $2 =~ ^[1-9][0-9]{0,8}$ && $2 -ge $3 && $2 -le $4 ]] || bad "$1" "$2" 'is no such number' "a whole number from $3 to $4"
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
  [ -z "$twice" ] || fail 2 "port $twice is given twice in deploy/.env: $(for key in $(port_keys); do [ "$(setting "$key")" != "$twice" ] || printf '%s ' "$key"; done)" 'Give each its own.'
}
