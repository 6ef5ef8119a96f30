#!/usr/bin/env bash
# usage: deploy/stop.sh [--delete-data | --now]
#
# Stops the stack and removes its containers and its network: first the nodes, then, once their goodbyes have been counted,
# what shows them. Spans, metrics and the seeds' keys are kept for the next start.
#
#   --delete-data   removes those, too
#   --now           does not wait for the goodbyes: MeshNodeSilent may ring for nodes that do not come back by their names
#
# Exit codes: 0 nothing is left, 1 something is, 2 used wrongly, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings docker; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done

# Two flushes of the Collector and a scrape.
counted_within=25

main() {
  local delete='' now='' said
  case ${1:-} in
    '') ;;
    --delete-data) delete=yes ;;
    --now) now=yes ;;
    -h | --help) usage && return ;;
    *) wrong "there is no $1" ;;
  esac
  find_docker
  find_compose
  say 'stopping: nodes say goodbye, the Collector hands over what it holds'
  [ -n "$delete$now" ] || nodes_first
  said=$(compose --profile grafana down --remove-orphans ${delete:+--volumes} 2>&1) || printf '%s\n' "$said" >&2
  check_gone container network ${delete:+volume}
  if [ -n "$delete" ]; then say 'stopped; its data is deleted'; else say 'stopped; its data is kept (deploy/stop.sh --delete-data)'; fi
}

# Prometheus keeps what it knows over the stop, and would take nodes that went together with it for silent ones.
nodes_first() {
  local nodes service state
  nodes=$(states | while read -r service state _; do
    [ "$state" != running ] || shows_nodes "$service" || say "$service"
  done | sort -u)
  [ -n "$nodes" ] && [ -n "$(states | awk '$1 == "prometheus" && $2 == "running"')" ] || return 0
  # shellcheck disable=SC2086
  compose stop $nodes >/dev/null 2>&1 || true
  say "their goodbyes are being counted; that takes $counted_within s"
  sleep "$counted_within"
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
