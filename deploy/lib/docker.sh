# shellcheck shell=bash disable=SC2154
# Docker and Compose, whichever there is.

no_docker_cures=(
  "Without Docker: npm start runs the same mesh as processes, with a trace store of its own."
  "On Debian, as root: deploy/offline.sh docker"
)

find_docker() {
  local said
  command -v docker >/dev/null ||
    fail 3 'Docker is not installed' 'Install Docker Engine with Compose (https://docs.docker.com/engine/install).' "${no_docker_cures[@]}"
  said=$(docker info --format '{{.ServerVersion}}' 2>&1) && return
  case $said in
    *'permission denied'*) fail 3 'Docker does not let you in' "Join its group: sudo usermod -aG docker $(id -un), then log in again." ;;
    *) fail 3 "the Docker daemon does not answer: ${said##*$'\n'}" 'Start it: sudo systemctl start docker' "${no_docker_cures[@]}" ;;
  esac
}

# Sets compose, an array. COMPOSE names another one, such as docker-compose or a path.
find_compose() {
  if [ -n "${COMPOSE:-}" ]; then
    read -ra compose <<<"$COMPOSE"
    "${compose[@]}" version >/dev/null 2>&1 || fail 2 "COMPOSE=$COMPOSE does not run" 'Unset it, or name a Compose that does.'
  elif docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif docker-compose version >/dev/null 2>&1; then
    compose=(docker-compose)
  else
    fail 3 'there is no Compose, neither v2 nor v1' 'Install docker-compose-plugin (v2) or docker-compose (v1).' \
      'Or build v2: deploy/offline.sh compose'
  fi
}

# In its own directory it finds compose.yaml and .env, whichever version it is; COMPOSE_FILE would lead to another stack.
compose() {
  (unset COMPOSE_FILE && cd "$here" && "${compose[@]}" "$@")
}

# Names of what Docker still has of the project: of kind container, network or volume.
left() {
  local all='' name='{{.Name}}'
  [ "$1" != container ] || all=--all name='{{.Names}}'
  docker "$1" ls ${all:+"$all"} --format "$name" --filter "label=com.docker.compose.project=$(setting COMPOSE_PROJECT_NAME)" | paste -sd ' ' -
}

# Whether a service is no node, but one of those that show them.
shows_nodes() {
  [[ $1 =~ ^(collector|jaeger|prometheus|alertmanager|grafana)$ ]]
}

# Ids of the stack's containers, running or not.
containers() {
  docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$(setting COMPOSE_PROJECT_NAME)" \
    --filter label=com.docker.compose.oneoff=False
}

# A line for each: service, state, health (none without a check), exit code, restarts, killed for memory, id, name.
states() {
  local ids
  ids=$(containers)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{with .State.Health}}{{.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}} {{.State.OOMKilled}} {{.ID}} {{.Name}}' $ids | sort
}

# Whether somebody listens at a port of 127.0.0.1.
listening() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Whether what is behind a published port answers HTTP with 200. That the port opens shows nothing: Docker's proxy opens
# it, whoever listens in the container.
answers() {
  MESH_ADMIN=:$1 "$here/healthy.sh" / 2>/dev/null
}
