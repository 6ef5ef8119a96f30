# shellcheck shell=bash disable=SC2034,SC2154
# Settings: .env has the defaults, an untracked file the user's own values; a variable of the shell takes precedence.
# All are Bash variables named cfg_KEY: Bash 3.2 of macOS has no associative arrays.

default_settings=$here/local.env
# Keys that the compose files use, and two more: one of Compose itself, and the host in links. Those that begin with
# STACK_ are no settings.
known_keys=$({ grep -ohE '(^|[^$])\$\{?[A-Z_][A-Z0-9_]*\b' "$here"/compose*.y*ml | sed 's/.*[${]//' | grep -v '^STACK_'; printf '%s\n' COMPOSE_PROJECT_NAME PUBLIC_HOST; } | sort -u)

setting() {
  local name=cfg_$1
  printf '%s\n' "${!name:-}"
}

port_keys() {
  grep '_PORT$' <<<"$known_keys"
}

# The path of a file for messages.
shown() {
  local root=${here%/*}
  case $1 in
    "$root"/*) printf '%s\n' "${1#"$root/"}" ;;
    *) printf '%s\n' "$1" ;;
  esac
}

# Whether a value has a character that Compose would change in a file, or that ends it there.
is_special() {
  [[ $1 == *[\"\'\$\`\\[:cntrl:]]* ]]
}
special='contains a quote, $, `, \ or a control character'

# read_settings PREFIX FILE: sets PREFIX_KEY for each KEY=value, and line_PREFIX_KEY. Understands CRLF, spaces around
# both, quotes, comments after a value, and `export`. Messages omit the value, which may be a secret.
read_settings() {
  local prefix=$1 file=$2 line number=0 key value seen=' ' place name
  name=$(shown "$file")
  [ -r "$file" ] || fail 2 "$name is not readable" 'Restore it, or name another with --settings.'
  read_keys=''
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1)) place="$name, line $number"
    [ "$number" -gt 1 ] || line=${line#$'\xef\xbb\xbf'}
    trim "$line"
    case $trimmed in '' | '#'*) continue ;; esac
    [[ $trimmed =~ ^(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)[[:space:]]*=[[:space:]]*(.*)$ ]] ||
      fail 2 "$place is invalid" 'A line is KEY=value, or a comment that begins with #.'
    key=${BASH_REMATCH[2]}
    unquote "${BASH_REMATCH[3]}" || fail 2 "$place: the quotes of $key do not match" "Expected: $key=\"value\""
    value=$unquoted
    ! is_special "$value" || fail 2 "$place: $key $special" 'Compose would change such a value. Remove the character.'
    [[ $seen != *" $key "* ]] || fail 2 "$place: $key is already set" "Remove this line, or the earlier one."
    seen="$seen$key " read_keys="$read_keys $key"
    printf -v "${prefix}_$key" %s "$value"
    printf -v "line_${prefix}_$key" %s "$number"
  done <"$file"
}

trim() {
  trimmed=${1#"${1%%[![:space:]]*}"}
  trimmed=${trimmed%"${trimmed##*[![:space:]]}"}
}

unquote() {
  case $1 in
    \"* | \'*)
      [[ $1 =~ ^\"([^\"]*)\"[[:space:]]*(#.*)?$ || $1 =~ ^\'([^\']*)\'[[:space:]]*(#.*)?$ ]] || return 1
      unquoted=${BASH_REMATCH[1]} ;;
    '#'*) unquoted='' ;;
    *) trim "${1%%[[:space:]]#*}" && unquoted=$trimmed ;;
  esac
}

# load_settings FILE: sets cfg_KEY and from_KEY of every known key: from the shell, now or as remembered; from the
# images of deploy/offline.sh; from FILE, if it exists; or from .env.
load_settings() {
  local key name line layer
  settings_file=$1 shell_keys=''
  read_known default "$here/.env"
  if [ -e "$settings_file" ]; then read_known own "$settings_file"; fi
  for key in $known_keys; do
    if [ -n "${!key:-}" ] || { [ "${!key+set}" = set ] && may_be_empty "$key"; }; then
      assign "$key" "${!key}" 'your shell'
      shell_keys="$shell_keys $key"
      continue
    fi
    for layer in shell offline own default; do
      name=${layer}_$key line=line_${layer}_$key
      [ "${!name+set}" = set ] || continue
      [ "$layer" != shell ] || shell_keys="$shell_keys $key"
      case $layer in
        shell) assign "$key" "${!name}" 'your shell at its start' ;;
        offline) assign "$key" "${!name}" deploy/offline.env ;;
        own) assign "$key" "${!name}" "$(shown "$settings_file"), line ${!line}" ;;
        default) assign "$key" "${!name}" deploy/.env ;;
      esac
      break
    done
  done
}

assign() {
  printf -v "cfg_$1" %s "$2"
  printf -v "from_$1" %s "$3"
}

# read_known PREFIX FILE: fails for an unknown key.
read_known() {
  local key line
  read_settings "$1" "$2"
  for key in $read_keys; do
    line=line_$1_$key
    grep -qx "$key" <<<"$known_keys" ||
      fail 2 "$(shown "$2"), line ${!line}: $key is an unknown setting" "Known settings: $(paste -sd ' ' - <<<"$known_keys")"
  done
}

# Settings that follow from others when they are empty, and days and weeks, which Go does not know.
derive_settings() {
  local key
  [ -n "$cfg_PUBLIC_HOST" ] || cfg_PUBLIC_HOST=$cfg_BIND_ADDRESS
  cfg_PAGE_URL=${cfg_PAGE_URL:-http://$cfg_PUBLIC_HOST:$cfg_PAGE_PORT}
  cfg_JAEGER_URL=${cfg_JAEGER_URL:-http://$cfg_PUBLIC_HOST:$cfg_JAEGER_UI_PORT}
  cfg_PROMETHEUS_EXTERNAL_URL=${cfg_PROMETHEUS_EXTERNAL_URL:-http://$cfg_PUBLIC_HOST:$cfg_PROMETHEUS_PORT}
  cfg_ALERTMANAGER_EXTERNAL_URL=${cfg_ALERTMANAGER_EXTERNAL_URL:-http://$cfg_PUBLIC_HOST:$cfg_ALERTMANAGER_PORT}
  cfg_GRAFANA_ROOT_URL=${cfg_GRAFANA_ROOT_URL:-http://$cfg_PUBLIC_HOST:$cfg_GRAFANA_PORT}
  for key in PAGE_URL JAEGER_URL PROMETHEUS_EXTERNAL_URL ALERTMANAGER_EXTERNAL_URL GRAFANA_ROOT_URL; do
    printf -v "cfg_$key" %s "$(setting "$key" | sed 's,/*$,,')"
  done
  for key in SERIES_EXPIRATION JAEGER_TTL; do printf -v "cfg_$key" %s "$(in_hours "$(setting "$key")")"; done
}

in_hours() {
  case $1 in
    *d) printf '%sh\n' $((${1%d} * 24)) ;;
    *w) printf '%sh\n' $((${1%w} * 168)) ;;
    *) printf '%s\n' "$1" ;;
  esac
}

# Images of deploy/offline.sh, in place of those of the settings.
use_offline_images() {
  read_settings offline "$here/offline.env"
}

# Creates the user's settings with a token of their own, at the first start.
create_settings() {
  local token
  token=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
  (umask 077 && sed "s,^PAGE_TOKEN=\$,PAGE_TOKEN=$token," "$here/local.env.template" >"$default_settings") ||
    fail 2 "$(shown "$default_settings") cannot be written" 'Name a file elsewhere: deploy/start.sh --settings FILE'
  say "created $(shown "$default_settings") for settings of your own, with a token for the page"
}

# Finds the settings file of `--settings`: an absolute path.
find_settings_file() {
  local path=$1
  case $path in /*) ;; *) path=$PWD/$path ;; esac
  [ -f "$path" ] || fail 2 "$1 does not exist" "Create it: install -m 600 deploy/local.env.template $1"
  ! is_special "$path" || fail 2 "the path $1 $special" 'Rename it.'
  printf '%s\n' "$path"
}
