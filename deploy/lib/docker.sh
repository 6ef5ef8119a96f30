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

# Sets compose, an array. COMPOSE names another one, such as docker-compose or a path.
find_compose() {
  if [ -n "${COMPOSE:-}" ]; then
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

# In this directory both versions find compose.yaml and .env; COMPOSE_FILE would select another stack.
compose() {
  (unset COMPOSE_FILE && cd "$here" && "${compose[@]}" "$@")
}

# Names of remaining resources of the project, of kind container, network or volume.
remaining() {
  local all='' name='{{.Name}}'
  [ "$1" != container ] || all=--all name='{{.Names}}'
  docker "$1" ls ${all:+"$all"} --format "$name" --filter "label=com.docker.compose.project=$(setting COMPOSE_PROJECT_NAME)" | paste -sd ' ' -
}

# Whether a service is part of the telemetry backend, not a node.
is_backend() {
  [[ $1 =~ ^(collector|jaeger|prometheus|alertmanager|grafana)$ ]]
}

# Ids of the stack's containers, running or not.
containers() {
  docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$(setting COMPOSE_PROJECT_NAME)" \
    --filter label=com.docker.compose.oneoff=False
}

# A line per container: service, state, health (none without a check), exit code, restarts, OOM-killed, id, name.
states() {
  local ids
  ids=$(containers)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{with .State.Health}}{{.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}} {{.State.OOMKilled}} {{.ID}} {{.Name}}' $ids | sort
}

# Whether a process listens at a port of 127.0.0.1.
listening() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Whether the service behind a published port answers HTTP with 200. An open port shows nothing: Docker's proxy opens it
# even when nothing listens in the container.
answers() {
  MESH_ADMIN=:$1 "$here/healthy.sh" / 2>/dev/null
}
