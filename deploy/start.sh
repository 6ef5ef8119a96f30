#!/usr/bin/env bash
# usage: deploy/start.sh [--build] [--nodes N] [--grafana] [--offline]
#
# Starts two meshes, Collector, Jaeger, Prometheus and Alertmanager in containers, waits until all are healthy, and
# says where to look. Run again, it brings up what is missing and takes over changed settings.
#
#   --build     build the nodes' image first, from the sources as they are now; without it, only when there is none
#   --nodes N   compute nodes of each mesh, 1 to 32; without it as many as there are, 3 at first
#   --grafana   Grafana, too
#   --offline   with the images of deploy/offline.sh images, in place of those of deploy/.env
#
# Settings: deploy/.env; a variable of your shell wins over a line there. COMPOSE names the Compose to use.
# Interrupted, it takes down what it has brought up. Exit codes: 0 fine, 1 something is wrong, 2 used wrongly, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings docker checks wait where; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done
# From the images being there; measured: half of it on two cores.
healthy_within=120
# Jaeger reads the index of all spans that it has before it answers.
jaeger_within=900
# All that is no compute node: four seeds, gateways, brokers, registries, bridges, the observer.
other_nodes=13

main() {
  local build=no offline=no nodes='' grafana=no was_running
  while [ $# -gt 0 ]; do
    case $1 in
      --build) build=yes ;;
      --nodes) needs $# "$1"; nodes=$2; shift ;;
      --grafana) grafana=yes ;;
      --offline) offline=yes ;;
      -h | --help) usage && return ;;
      *) wrong "there is no $1" ;;
    esac
    shift
  done
  [[ -z $nodes || ($nodes =~ ^[1-9][0-9]?$ && $nodes -le 32) ]] || wrong "--nodes $nodes: a number from 1 to 32"
  find_docker
  find_compose
  [ "$offline" = no ] || use_offline_images
  [ "$grafana" = no ] || export COMPOSE_PROFILES=grafana
  check_settings
  was_running=$(containers)
  nodes=${nodes:-$(computes)}
  [ -n "$was_running" ] || trap take_down INT TERM HUP
  [ -n "$was_running" ] || check_memory $((2 * nodes + other_nodes))
  check_ports
  check_disk
  images "$build" "$offline"
  SECONDS=0
  check_files
  bring_up "$nodes"
  wait_healthy "$healthy_within" "$jaeger_within"
  trap - INT TERM HUP
  where
}

# Compute nodes of each mesh that there are, or are at first.
computes() {
  states | awk '$1 == "a-compute" { n++ } END { print n ? n : 3 }'
}

# images BUILD OFFLINE: pulls or builds those that are not here.
images() {
  local key image
  for key in COLLECTOR JAEGER PROMETHEUS ALERTMANAGER GRAFANA; do
    [ "$key/$grafana" != GRAFANA/no ] || continue
    image=$(setting "${key}_IMAGE")
    docker image inspect "$image" >/dev/null 2>&1 && continue
    [ "$2/$key" != yes/GRAFANA ] || fail 1 "there is no image $image, and it cannot be built here" 'Start without --grafana.'
    [ "$2" = no ] || fail 1 "there is no image $image" 'Make it: deploy/offline.sh images'
    say "pulling $image"
    docker pull --quiet "$image" >/dev/null || fail 1 "$image cannot be pulled" "Check ${key}_IMAGE in deploy/.env and your way to its registry." \
      'Without a way: deploy/offline.sh images, then deploy/start.sh --offline'
  done
  if [ "$1" = yes ] || ! docker image inspect "$(setting TRACEMESH_IMAGE)" >/dev/null 2>&1; then "$here/build.sh"; fi
}

# bring_up COMPUTES: for each mesh.
bring_up() {
  local said code=0
  say "starting with $(compose version --short | tail -n 1 | sed 's/^v\{0,1\}/Compose /')"
  said=$(compose up -d --no-build --scale "a-compute=$1" --scale "b-compute=$1" 2>&1) || code=$?
  [ "$code" = 0 ] ||
    fail 1 'Compose could not start the stack' "$(tail -n 15 <<<"$said")" 'Take down what is there: deploy/stop.sh'
}

take_down() {
  trap '' INT TERM HUP
  printf '\n%s\n' 'interrupted: taking down what was started' >&2
  "$here/stop.sh" --now >&2 || true
  exit 130
}

main "$@"
