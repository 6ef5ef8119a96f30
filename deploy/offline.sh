#!/usr/bin/env bash
# usage: deploy/offline.sh binaries [NAME...] | images | docker | compose | k8s | opensearch | clean [all]
#
# For machines that reach package registries but no image registry, or that have no Docker.
#
#   binaries   builds Jaeger, Collector, Prometheus, Alertmanager and their tools with Go from the modules of their
#              releases, into bin/ of the cache. NAME: only these of jaeger collector prometheus alertmanager.
#   images     builds images of them, of Node.js and of Debian, named tracemesh-offline/..., and missing binaries;
#              deploy/start.sh --offline runs the images. Needs Docker, and root for debootstrap.
#   docker     installs Docker from Debian's packages and starts its daemon, if missing. Needs root.
#   compose    builds Compose v2, as bin/docker-compose-v2 of the cache.
#   k8s        builds the tool that checks deploy/k8s without a cluster.
#   opensearch fetches OpenSearch with Maven, into opensearch/ of the cache: for the proofs of the clustered store.
#   clean      removes these images and the cache except the binaries; `clean all` removes the binaries too.
#
# The script skips a step whose result exists. Cache: TRACEMESH_STACK, by default ~/.cache/tracemesh/stack.
# Exit codes: 0 ok, 1 a step failed, 2 usage error, 3 a required program is not installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export TRACEMESH_STACK=${TRACEMESH_STACK:-$HOME/.cache/tracemesh/stack}
stack=$TRACEMESH_STACK
for part in lib/say offline/{versions,steps,binaries,images,docker,opensearch}; do
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
    clean) [[ $* =~ ^(all)?$ ]] || usage_error "clean accepts no argument or all, not $*" ;;
    binaries) ;;
    images | docker | compose | k8s | opensearch) [ $# -eq 0 ] || usage_error "$command accepts no argument: $1" ;;
    '') usage_error 'missing command' ;;
    *) usage_error "unknown command $command" ;;
  esac
  acquire_lock
  case $command in
    binaries) binaries "$@" ;;
    images) binaries; images ;;
    docker) docker_packages docker.io docker-compose; docker_daemon ;;
    compose) make_binary compose; say "COMPOSE=$stack/bin/docker-compose-v2 deploy/start.sh runs with it" ;;
    k8s) "$here/k8s/check/build.sh" ;;
    opensearch) opensearch ;;
    clean) clean "$@" ;;
  esac
}

main "$@"
