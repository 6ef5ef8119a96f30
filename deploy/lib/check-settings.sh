# shellcheck shell=bash disable=SC2154
# Checks of the settings, before anything starts.

invalid() {
  local from=from_$1
  fail 2 "$1=$2 in ${!from}: $3" "Expected: $4." "The default: grep ^$1= deploy/.env"
}

check_settings() {
  local key name cpus=''
  for key in $known_keys; do
    name=cfg_$key
    if [ "${!name+set}" != set ]; then
      # A file of the user's own may use further variables.
      grep -hE '\$\{?'"$key"'\b' "$here"/compose.override.y*ml >/dev/null 2>&1 && continue
      [ "$key" = COMPOSE_PROJECT_NAME ] || grep -qE '\$\{'"$key"':\?' "$here/compose.yaml" || continue
      fail 2 "$key is missing in deploy/.env" "Restore it: git show HEAD:deploy/.env | grep ^$key="
    fi
    check_value "$key" "${!name}"
  done
  [ "$cfg_BIND_ADDRESS$cfg_PUBLIC_HOST" != 0.0.0.0 ] ||
    fail 2 "BIND_ADDRESS=0.0.0.0 in $from_BIND_ADDRESS needs PUBLIC_HOST, the name of this machine for browsers" "For example: PUBLIC_HOST=$(hostname)"
  check_ports_differ
}

# check_series NODES: of one mesh. As in src/catalogue/span-counts.ts.
check_series() {
  local needed=$((20 * $1))
  [ "$(setting CALLS_LIMIT)" -ge "$needed" ] ||
    invalid CALLS_LIMIT "$(setting CALLS_LIMIT)" "is too small for the $1 nodes of a mesh" "at least $needed, 20 for each node"
}

may_be_empty() {
  case $1 in PAGE_TOKEN | PPROF_PORT | PUBLIC_HOST | JAEGER_UI_ASSETS | NODE_LOGS | *_URL) ;; *) return 1 ;; esac
}

check_value() {
  local key=$1 value=$2
  if [ -z "$value" ] && may_be_empty "$key"; then return; fi
  case $key in
    *_PORT) [[ $value =~ ^[1-9][0-9]{0,4}$ && $value -le 65535 ]] || invalid "$key" "$value" 'is not a port' 'a number from 1 to 65535' ;;
    *BIND_ADDRESS) check_address "$key" "$value" ;;
    PUBLIC_HOST) [[ $value =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]] || invalid "$key" "$value" 'is not a host' 'a host name or an IPv4 address, without a port' ;;
    PAGE_URL | JAEGER_URL) [[ $value =~ ^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$ ]] || invalid "$key" "$value" 'is not the URL of a host' 'http:// or https://, a host, and a port if needed: the page works at the root of its host only' ;;
    *_URL) [[ $value =~ ^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$ ]] || invalid "$key" "$value" 'is not a URL' 'http:// or https://, a host, and a port and a path if needed' ;;
    NODE_LOGS)
      [[ $value == /* && $value != *[:,]* && -d $value ]] ||
        invalid "$key" "$value" 'is not a directory' 'the absolute path of the directory with the log files of containers, without : and ,' ;;
    JAEGER_UI_ASSETS)
      [[ $value == /* && $value != *[:,]* && -r $value/index.html ]] ||
        invalid "$key" "$value" 'has no readable index.html' 'the absolute path of a directory with the built page of Jaeger, without : and ,' ;;
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
    # At least as many as the Collector's door: a batch that fits there and not here would wait, and stop all behind it.
    QUEUE_ITEMS) check_integer "$key" "$value" 100000 1000000000 ;;
    SPANS_FILES | SPANS_FILE_MB) check_integer "$key" "$value" 1 10000 ;;
    CALLS_LIMIT) check_integer "$key" "$value" 100 1000000 ;;
    SERIES_EXPIRATION | JAEGER_TTL) [[ $value =~ ^[1-9][0-9]{0,8}[smhdw]$ ]] || invalid "$key" "$value" 'is not a duration' 'a number with s, m, h, d or w, such as 7d' ;;
    NODE_LOG_LEVEL)
      [[ $value =~ ^(trace|debug|info|warn|error|fatal|silent)$ ]] || invalid "$key" "$value" 'is not a log level' 'trace, debug, info, warn, error, fatal or silent' ;;
    PROMETHEUS_KEEPS) [[ $value =~ ^[1-9][0-9]{0,8}[smhdwy]$ ]] || invalid "$key" "$value" 'is not a duration' 'a number with s, m, h, d, w or y, such as 15d' ;;
    PROMETHEUS_KEEPS_AT_MOST) [[ $value =~ ^[1-9][0-9]*[MG]B$ ]] || invalid "$key" "$value" 'is not a size' 'a number with MB or GB, such as 1GB' ;;
    PAGE_TOKEN) [[ $value =~ ^[A-Za-z0-9._~+/=-]{16,256}$ ]] || invalid "$key" '(hidden)' "is not a token (${#value} characters)" '16 to 256 letters, digits and . _ ~ + / = -, or none' ;;
    COMPOSE_PROJECT_NAME) [[ $value =~ ^[a-z0-9][a-z0-9_-]*$ ]] || invalid "$key" "$value" 'is not a project name' 'lower-case letters, digits, - and _' ;;
  esac
  # Later commands read it from the record of the start. The message omits it: it may be a secret.
  local from=from_$key
  ! is_special "$value" || fail 2 "$key of ${!from} $special" 'The record of the start cannot keep it. Remove the character, or put the value into deploy/compose.override.yaml.'
}

# check_address KEY VALUE: an IPv4 address of this machine, as far as the system lists them.
check_address() {
  local own
  [[ $2 =~ ^([0-9]{1,3}\.){3}[0-9]{1,3}$ ]] || invalid "$1" "$2" 'is not an IPv4 address' '127.0.0.1 for this machine alone, 0.0.0.0 for every interface, or one of its addresses'
  case $2 in 0.0.0.0 | 127.*) return ;; esac
  own=$(hostname -I 2>/dev/null) || return 0
  [[ " $own " == *" $2 "* ]] || invalid "$1" "$2" 'is not an address of this machine' "127.0.0.1, 0.0.0.0 or one of: ${own% }"
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
  local key port twice lines=()
  twice=$(for key in $(port_keys); do setting "$key"; done | grep . | sort | uniq -d)
  [ -n "$twice" ] || return 0
  for port in $twice; do
    lines+=("$port: $(for key in $(port_keys); do [ "$(setting "$key")" != "$port" ] || printf '%s ' "$key"; done)")
  done
  fail 2 "port $(paste -sd ' ' - <<<"$twice") is assigned twice" "${lines[@]}" "Assign a different port to each in $(shown "$settings_file")."
}
