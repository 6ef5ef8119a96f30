#!/usr/bin/env bash
# usage: deploy/status.sh [--settings FILE]
#
# Prints each container with its health, restarts and memory, unhealthy services, firing alerts, and the addresses. The
# alert that always fires (severity none) is not among them.
#
#   --settings FILE   the stack of these settings; by default the one that was started from here
#
# Exit codes: 0 all healthy, 1 a service is unhealthy or an alert fires, 2 usage error, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings check-settings docker stack wait where; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done

main() {
  local code=0 alerts problems file=''
  while [ $# -gt 0 ]; do
    case $1 in
      --settings) require_value $# "$1"; file=$(find_settings_file "$2"); shift ;;
      -h | --help) usage && return ;;
      *) usage_error "unknown option $1" ;;
    esac
    shift
  done
  find_docker
  use_stack "$file"
  find_compose
  [ -n "$(containers)" ] || fail 1 "the stack $(setting COMPOSE_PROJECT_NAME) is not running" 'Start it: deploy/start.sh'
  table
  say
  problems=$({ unhealthy && missing; } | summary)
  if [ -n "$problems" ]; then code=1 && say "unhealthy: $problems; see: docker logs CONTAINER"; else say 'all healthy'; fi
  if alerts=$(compose exec -T alertmanager amtool --alertmanager.url=http://127.0.0.1:9093 alert query 'severity!=none' 2>/dev/null); then
    alerts=$(tail -n +2 <<<"$alerts")
    if [ -z "$alerts" ]; then say 'no alert fires'; else code=1 && printf 'firing alerts:\n%s\n' "$alerts"; fi
  else
    code=1 && say 'Alertmanager does not answer'
  fi
  where
  return "$code"
}

# Services without a container, a line each. Compose 1 also lists services of inactive profiles.
missing() {
  comm -23 <(compose config --services 2>/dev/null | grep -vx grafana | sort) <(states | cut -d ' ' -f 1 | sort -u) | sed 's/$/:removed/'
}

table() {
  local ids used
  ids=$(containers)
  # shellcheck disable=SC2086
  used=$(docker stats --no-stream --no-trunc --format '{{.ID}} {{.MemUsage}} {{.CPUPerc}}' $ids)
  printf '%-30s %-12s %-10s %8s  %-24s %s\n' container state health restarts memory CPU
  states | while read -r _ state health _ restarts _ id name; do
    printf '%-30s %-12s %-10s %8s  %s\n' "${name#/}" "$state" "$health" "$restarts" \
      "$(awk -v id="$id" '$1 == id { printf "%-24s %s", $2 " " $3 " " $4, $5 }' <<<"$used")"
  done
}

main "$@"
