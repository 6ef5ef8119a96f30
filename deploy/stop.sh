#!/usr/bin/env bash
# usage: deploy/stop.sh [--settings FILE] [--delete-data | --now]
#
# Stops the stack and removes its containers and its network: first the nodes, and the rest once Prometheus has counted
# their goodbyes. Spans, metrics and the seeds' keys remain for the next start.
#
#   --settings FILE   the stack of these settings; by default the one that was started from here
#   --delete-data   delete these too
#   --now           do not wait for the goodbyes: MeshNodeSilent may fire for nodes that return under other names
#
# Exit codes: 0 all removed, 1 something remains, 2 usage error, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings check-settings docker stack; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done

# Two flushes of the Collector and a scrape.
counted_within=25

main() {
  local delete='' now='' output file=''
  while [ $# -gt 0 ]; do
    case $1 in
      --settings) require_value $# "$1"; file=$(find_settings_file "$2"); shift ;;
      --delete-data) delete=yes ;;
      --now) now=yes ;;
      -h | --help) usage && return ;;
      *) usage_error "unknown option $1" ;;
    esac
    shift
  done
  [ -z "$delete" ] || [ -z "$now" ] || usage_error '--delete-data does not wait: leave out --now'
  find_docker
  use_stack "$file"
  find_compose
  say "stopping $(setting COMPOSE_PROJECT_NAME): nodes say goodbye, the Collector exports its queue"
  [ -n "$delete$now" ] || nodes_first
  output=$(compose --profile grafana down --remove-orphans ${delete:+--volumes} 2>&1) || printf '%s\n' "$output" >&2
  check_removed container network ${delete:+volume}
  forget_start
  if [ -n "$delete" ]; then say 'stopped, data deleted'; else say 'stopped, data retained (delete it: deploy/stop.sh --delete-data)'; fi
}

# Prometheus retains its series over the stop. Nodes that stopped together with it would look silent.
nodes_first() {
  local nodes service state
  nodes=$(states | while read -r service state _; do
    [ "$state" != running ] || is_backend "$service" || say "$service"
  done | sort -u)
  [ -n "$nodes" ] && [ -n "$(states | awk '$1 == "prometheus" && $2 == "running"')" ] || return 0
  # shellcheck disable=SC2086
  compose stop $nodes >/dev/null 2>&1 || true
  say "waiting $counted_within s until Prometheus has counted the goodbyes"
  sleep "$counted_within"
}

# check_removed KIND...: Compose may report success while a network or a volume remains.
check_removed() {
  local kind names still=() cures=()
  for kind in "$@"; do
    names=$(remaining "$kind")
    [ -n "$names" ] || continue
    still+=("$kind $names")
    case $kind in
      container) cures+=("Remove it: docker rm --force $names") ;;
      network) cures+=("See what uses it: docker network inspect $names" "Then: docker network rm $names") ;;
      volume) cures+=("See what uses it: docker ps --all --filter volume=NAME" "Then: docker volume rm $names") ;;
    esac
  done
  [ ${#still[@]} -eq 0 ] || fail 1 "still there: $(printf '%s; ' "${still[@]}" | sed 's/; $//')" "${cures[@]}"
}

main "$@"
