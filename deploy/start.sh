#!/usr/bin/env bash
# usage: deploy/start.sh [--settings FILE] [--build] [--nodes N] [--grafana] [--offline]
#
# Starts two meshes, Collector, Jaeger, Prometheus and Alertmanager in containers, waits until all are healthy, and
# prints their addresses. A second run starts missing containers and applies changed settings.
#
#   --settings FILE   settings of your own in place of deploy/local.env, which the first start creates
#   --build     first build the nodes' image from the current sources; the default builds it only when it is missing
#   --nodes N   compute nodes of each mesh, 1 to 32; default: the current number, 3 at the first start
#   --grafana   start Grafana too
#   --offline   use the images of deploy/offline.sh images in place of those of deploy/.env
#
# Settings: deploy/.env has the defaults, FILE your own values, and a variable of your shell takes precedence. A stack
# keeps what it was started with until deploy/stop.sh: a second run needs no option and no variable again. COMPOSE names
# the Compose to use.
# An interrupt stops what the script has started. Exit codes: 0 ok, 1 start failed, 2 usage error, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings check-settings docker stack checks wait where; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done
# Seconds after the images exist; measured: half of it on two cores.
healthy_within=120
# Jaeger reads the index of all its spans before it answers.
jaeger_within=900
# All nodes but the compute nodes: four seeds; two gateways, brokers, registries and bridges each; the observer.
other_nodes=13
# Those of mesh-a: two seeds, a gateway, a broker, a registry, a bridge and the observer.
other_nodes_of_mesh=7

main() {
  local build=no offline=no nodes='' grafana=no was_running='' settings_file='' file=''
  while [ $# -gt 0 ]; do
    case $1 in
      --settings) require_value $# "$1"; file=$2; shift ;;
      --build) build=yes ;;
      --nodes) require_value $# "$1"; nodes=$2; shift ;;
      --grafana) grafana=yes ;;
      --offline) offline=yes ;;
      -h | --help) usage && return ;;
      *) usage_error "unknown option $1" ;;
    esac
    shift
  done
  [[ -z $nodes || ($nodes =~ ^[1-9][0-9]?$ && $nodes -le 32) ]] || usage_error "--nodes $nodes: expected a number from 1 to 32"
  find_docker
  settings_of_start "$file"
  find_compose
  nodes=${nodes:-$(compute_count)}
  check_series $((nodes + other_nodes_of_mesh))
  [ -n "$was_running" ] || trap take_down INT TERM HUP
  [ -n "$was_running" ] || check_memory $((2 * nodes + other_nodes))
  check_ports
  report_exposure
  check_disk
  images "$build" "$offline"
  SECONDS=0
  check_files
  bring_up "$nodes"
  wait_healthy "$healthy_within" "$jaeger_within"
  trap - INT TERM HUP
  where
}

# Current number of compute nodes of each mesh, or that of a first start.
compute_count() {
  states | awk '$1 == "a-compute" { n++ } END { print n ? n : 3 }'
}

# images BUILD OFFLINE: pulls or builds missing images.
images() {
  local key image
  for key in COLLECTOR JAEGER PROMETHEUS ALERTMANAGER GRAFANA; do
    [ "$key/$grafana" != GRAFANA/no ] || continue
    image=$(setting "${key}_IMAGE")
    docker image inspect "$image" >/dev/null 2>&1 && continue
    [ "$2/$key" != yes/GRAFANA ] || fail 1 "image $image is missing, and deploy/offline.sh does not build it" 'Start without --grafana.'
    [ "$2" = no ] || fail 1 "image $image is missing" 'Build it: deploy/offline.sh images'
    say "pulling $image"
    docker pull --quiet "$image" >/dev/null || fail 1 "$image cannot be pulled" "Check ${key}_IMAGE in deploy/.env or deploy/local.env and the connection to its registry." \
      'Without a registry: deploy/offline.sh images, then deploy/start.sh --offline'
  done
  if [ "$1" = yes ] || ! docker image inspect "$(setting TRACEMESH_IMAGE)" >/dev/null 2>&1; then
    TRACEMESH_IMAGE=$(setting TRACEMESH_IMAGE) NODE_IMAGE=$(setting NODE_IMAGE) "$here/build.sh" --settings "$settings_file"
  fi
}

# bring_up COMPUTES: for each mesh.
bring_up() {
  local output code=0
  record_start
  say "starting with $(compose version --short | tail -n 1 | sed 's/^v\{0,1\}/Compose /')"
  output=$(compose up -d --no-build --scale "a-compute=$1" --scale "b-compute=$1" 2>&1) || code=$?
  [ "$code" = 0 ] ||
    fail 1 'Compose could not start the stack' "$(tail -n 15 <<<"$output")" 'Remove the rest: deploy/stop.sh'
}

take_down() {
  trap '' INT TERM HUP
  printf '\n%s\n' 'interrupted: stopping the started containers' >&2
  COMPOSE_PROJECT_NAME=$(setting COMPOSE_PROJECT_NAME) "$here/stop.sh" --settings "$settings_file" --now >&2 || true
  exit 130
}

main "$@"
