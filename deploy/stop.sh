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
  local delete='' said left
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
  left=$(states)
  [ -z "$left" ] || fail 1 "still there: $(cut -d ' ' -f 1 <<<"$left" | paste -sd ' ' -)" 'Remove them: docker rm --force CONTAINER'
  if [ -n "$delete" ]; then say 'stopped; its data is deleted'; else say 'stopped; its data is kept (deploy/stop.sh --delete-data)'; fi
}

main "$@"
