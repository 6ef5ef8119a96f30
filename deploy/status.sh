#!/usr/bin/env bash
# usage: deploy/status.sh
#
# How the stack is: what is not well, each container with its health, restarts and memory, alerts that ring, and where to look.
#
# Exit codes: 0 all is well, 1 something is not (an alert that rings included), 2 used wrongly, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings docker wait where; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done

main() {
  local found=0 alerts ill
  case ${1:-} in
    '') ;;
    -h | --help) usage && return ;;
    *) wrong "there is no $1" ;;
  esac
  find_docker
  find_compose
  [ -n "$(containers)" ] || fail 1 'nothing runs' 'Start it: deploy/start.sh'
  table
  say
  ill=$({ unhealthy && missing; } | sort -u | paste -sd ' ' -)
  if [ -n "$ill" ]; then found=1 && say "not well: $ill; the last words of one: docker logs CONTAINER"; else say 'all are well'; fi
  if alerts=$(compose exec -T alertmanager amtool --alertmanager.url=http://127.0.0.1:9093 alert query 2>/dev/null); then
    alerts=$(tail -n +2 <<<"$alerts")
    if [ -z "$alerts" ]; then say 'no alert rings'; else found=1 && printf 'alerts that ring:\n%s\n' "$alerts"; fi
  else
    found=1 && say 'Alertmanager does not answer'
  fi
  where
  return "$found"
}

# Services without a container, a line each. Compose 1 names those of a profile that is not asked for, too.
missing() {
  comm -23 <(compose config --services 2>/dev/null | grep -vx grafana | sort) <(states | cut -d ' ' -f 1 | sort -u) | sed 's/$/ (removed)/'
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
