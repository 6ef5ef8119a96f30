#!/usr/bin/env bash
# usage: deploy/stop.sh [--delete-data]
#
# Stops the stack and removes its containers and its network. Spans, metrics and the seeds' keys are kept for the next
# start; --delete-data removes those, too.
#
# Exit codes: 0 nothing is left, 1 something is, 2 used wrongly, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings docker; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done

main() {
  local delete='' said
  case ${1:-} in
    '') ;;
    --delete-data) delete=yes ;;
    -h | --help) usage && return ;;
    *) wrong "there is no $1" ;;
  esac
  find_docker
  find_compose
  say 'stopping: nodes say goodbye, the Collector hands over what it holds'
  said=$(compose --profile grafana down --remove-orphans ${delete:+--volumes} 2>&1) || printf '%s\n' "$said" >&2
  check_gone container network ${delete:+volume}
  if [ -n "$delete" ]; then say 'stopped; its data is deleted'; else say 'stopped; its data is kept (deploy/stop.sh --delete-data)'; fi
}

# check_gone KIND...: what Compose says of its own success is not enough, and neither is that no container is left.
check_gone() {
  local kind names still=() cures=()
  for kind in "$@"; do
    names=$(left "$kind")
    [ -n "$names" ] || continue
    still+=("$kind $names")
    case $kind in
      container) cures+=("Remove it: docker rm --force $names") ;;
      network) cures+=("See who is in it: docker network inspect $names" "Then: docker network rm $names") ;;
      volume) cures+=("See who uses it: docker ps --all --filter volume=NAME" "Then: docker volume rm $names") ;;
    esac
  done
  [ ${#still[@]} -eq 0 ] || fail 1 "still there: $(printf '%s; ' "${still[@]}" | sed 's/; $//')" "${cures[@]}"
}

main "$@"
