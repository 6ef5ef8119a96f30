#!/usr/bin/env bash
# usage: deploy/offline.sh binaries [NAME...] | images | docker | compose | k8s | clean [all]
#
# For machines that reach package registries but no image registry, or that have no Docker.
#
#   binaries   Jaeger, Collector, Prometheus, Alertmanager and their tools, built by Go from their releases' modules,
#              into bin/ of the cache. NAME: only these of jaeger collector prometheus alertmanager.
#   images     images of them, of Node.js and of Debian, named tracemesh-offline/...: deploy/start.sh --offline runs
#              them. Builds the binaries that are missing. Needs Docker, and root for debootstrap.
#   docker     installs Docker with Debian's packages and starts its daemon, where there is neither. Needs root.
#   compose    Compose v2, as bin/docker-compose-v2 of the cache.
#   k8s        what checks deploy/k8s without a cluster.
#   clean      removes images of this, and the cache but for binaries; `clean all` those, too.
#
# Each step is skipped when its result is there. Cache: TRACEMESH_STACK, by default ~/.cache/tracemesh/stack.
# Exit codes: 0 fine, 1 a step failed, 2 used wrongly, 3 something that is needed is not installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export TRACEMESH_STACK=${TRACEMESH_STACK:-$HOME/.cache/tracemesh/stack}
stack=$TRACEMESH_STACK
for part in lib/say offline/{versions,steps,binaries,images,docker}; do
  # shellcheck disable=SC1090
  . "$here/$part.sh"
done

binaries() {
  local name
  [ $# -gt 0 ] || set -- jaeger collector prometheus alertmanager
  for name in "$@"; do make_binary "$name"; done
  say "binaries are in $stack/bin"
}

main() {
  local command=${1:-}
  shift || true
  case $command in
    -h | --help) usage && return ;;
    clean) [ "${1:-all}" = all ] || wrong "clean takes nothing or all, not $1" ;;
    binaries) ;;
    images | docker | compose | k8s) [ $# -eq 0 ] || wrong "$command takes no $1" ;;
    '') wrong 'say what to make' ;;
    *) wrong "there is no $command" ;;
  esac
  take_turns
  case $command in
    binaries) binaries "$@" ;;
    images) binaries; images ;;
    docker) docker_packages docker.io docker-compose; docker_daemon ;;
    compose) make_binary compose; say "COMPOSE=$stack/bin/docker-compose-v2 deploy/start.sh uses it" ;;
    k8s) "$here/k8s/check/build.sh" ;;
    clean) clean "$@" ;;
  esac
}

main "$@"
