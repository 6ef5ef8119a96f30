# shellcheck shell=bash disable=SC2154
# Docker and Compose.

no_docker_cures=(
  "Without Docker: npm start runs the same mesh as processes, with a trace store of its own."
  "On Debian, as root: deploy/offline.sh docker"
)

find_docker() {
  local output
  command -v docker >/dev/null ||
    fail 3 'Docker is not installed' 'Install Docker Engine with Compose (https://docs.docker.com/engine/install).' "${no_docker_cures[@]}"
  output=$(docker info --format '{{.ServerVersion}}' 2>&1) && return
  case $output in
    *'permission denied'*) fail 3 'permission denied by Docker' "Join its group: sudo usermod -aG docker $(id -un), then log in again." ;;
    *) fail 3 "the Docker daemon does not answer: ${output##*$'\n'}" 'Start it: sudo systemctl start docker' "${no_docker_cures[@]}" ;;
  esac
}

# Sets compose, an array. COMPOSE names another one, such as docker-compose or a path. By default it is the one that has
# started the stack.
find_compose() {
  if [ -z "${COMPOSE:-}" ] && [ -n "${cfg_STACK_COMPOSE:-}" ] && $cfg_STACK_COMPOSE version >/dev/null 2>&1; then
    read -ra compose <<<"$cfg_STACK_COMPOSE"
  elif [ -n "${COMPOSE:-}" ]; then
    read -ra compose <<<"$COMPOSE"
    "${compose[@]}" version >/dev/null 2>&1 || fail 2 "COMPOSE=$COMPOSE does not run" 'Unset it, or name a Compose that runs.'
  elif docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif docker-compose version >/dev/null 2>&1; then
    compose=(docker-compose)
  else
    fail 3 'Compose is not installed, neither v2 nor v1' 'Install docker-compose-plugin (v2) or docker-compose (v1).' \
      'Or build v2: deploy/offline.sh compose'
  fi
}

# Runs Compose with all settings: none of its own files and variables may change them.
compose() {
  (
    local key name files=(--file compose.yaml) variables=()
    [ -z "${cfg_PPROF_PORT:-}" ] || files+=(--file compose.pprof.yaml)
    [ -z "${cfg_JAEGER_UI_ASSETS:-}" ] || files+=(--file compose.jaeger-page.yaml)
    [ -z "${cfg_NODE_LOGS:-}" ] || files+=(--file compose.logs.yaml)
    [ "${cfg_STACK_QUICK_CHECKS:-no}" = no ] || files+=(--file compose.quick-checks.yaml)
    cd "$here" || exit
    for name in compose.override.yaml compose.override.yml; do
      [ ! -f "$name" ] || files+=(--file "$name")
    done
    unset COMPOSE_FILE COMPOSE_ENV_FILES COMPOSE_PROFILES
    for key in $known_keys; do
      name=cfg_$key
      [ "${!name+set}" != set ] || variables+=("$key=${!name}")
    done
    [ "${cfg_STACK_GRAFANA:-no}" = no ] || export COMPOSE_PROFILES=grafana
    export STACK_UI_CONFIG="$records/$cfg_COMPOSE_PROJECT_NAME/ui.json" STACK_BOARDS="$records/$cfg_COMPOSE_PROJECT_NAME/boards"
    # Not exported: some, such as UID, are read-only in Bash.
    env "${variables[@]}" "${compose[@]}" "${files[@]}" "$@"
  )
}

# Compose 1 rejects a file with the unknown key start_interval, and Compose 2 rejects an engine before 25.
can_check_quickly() {
  local version engine
  version=$("${compose[@]}" version --short 2>/dev/null | tail -n 1)
  engine=$(docker info --format '{{.ServerVersion}}')
  at_least "${version#v}" 2 21 && at_least "$engine" 25 0
}

# at_least VERSION MAJOR MINOR
at_least() {
  [[ $1 =~ ^([0-9]+)\.([0-9]+) ]] || return 1
  ((BASH_REMATCH[1] > $2 || (BASH_REMATCH[1] == $2 && BASH_REMATCH[2] >= $3)))
}

# Names of remaining resources of the project, of kind container, network or volume.
remaining() {
  local all='' name='{{.Name}}'
  [ "$1" != container ] || all=--all name='{{.Names}}'
  docker "$1" ls ${all:+"$all"} --format "$name" --filter "label=com.docker.compose.project=$(setting COMPOSE_PROJECT_NAME)" | paste -sd ' ' -
}

# Whether a service is part of the telemetry backend, not a node.
is_backend() {
  [[ $1 =~ ^(collector|node-logs|jaeger|prometheus|alertmanager|grafana)$ ]]
}

# Ids of the stack's containers, running or not.
containers() {
  containers_of "$(setting COMPOSE_PROJECT_NAME)"
}

# Those of a project.
containers_of() {
  docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False
}

# A line per container: service, state, health (none without a check), exit code, restarts, OOM-killed, id, name.
states() {
  local ids
  ids=$(containers)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{with .State.Health}}{{.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}} {{.State.OOMKilled}} {{.ID}} {{.Name}}' $ids | sort
}

# An address of this machine at which a published port answers: bound_host KEY.
bound_host() {
  local host=127.0.0.1
  case $1 in
    OTLP_*) host=$(setting OTLP_BIND_ADDRESS) ;;
    COLLECTOR_HEALTH_PORT | PPROF_PORT) ;;
    *) host=$(setting BIND_ADDRESS) ;;
  esac
  [ "$host" != 0.0.0.0 ] || host=127.0.0.1
  printf '%s\n' "$host"
}

# listening HOST PORT: whether a process listens there.
listening() {
  (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# Whether the service behind a published port answers HTTP with 200. An open port shows nothing: Docker's proxy opens it
# even when nothing listens in the container.
answers() {
  MESH_ADMIN=:$1 "$here/healthy.sh" / 2>/dev/null
}

# page_text KEY PATH: the beginning of what the service behind a port answers, or nothing.
page_text() {
  local host port line count=0
  host=$(bound_host "$1") port=$(setting "$1")
  {
    exec 3<>"/dev/tcp/$host/$port" || return 0
  } 2>/dev/null
  printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
  while IFS= read -t 5 -r line <&3 && [ "$count" -lt 200 ]; do
    count=$((count + 1))
    printf '%s\n' "$line"
  done
  printf '%s\n' "$line"
  exec 3>&-
}
