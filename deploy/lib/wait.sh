# shellcheck shell=bash disable=SC2154
# Waits until every service is healthy.

# Services of the containers that are not (yet) healthy, a line for each container.
unhealthy() {
  local service state health code rest
  while read -r service state health code rest; do
    case $service/$state/$health/$code in
      collector-volume/exited/*/0) ;;
      collector/running/*) answers "$(setting COLLECTOR_HEALTH_PORT)" || printf '%s\n' "$service" ;;
      */running/healthy/* | */running/none/*) ;;
      *) printf '%s\n' "$service" ;;
    esac
  done < <(states)
}

# Reads services and names each once, with the number of its containers if there are several.
summary() {
  sort | uniq -c | awk '{ printf "%s%s", (NR > 1 ? ", " : ""), $2; if ($1 > 1) printf " (%d)", $1 } END { print "" }'
}

# memory_key SERVICE: the setting of its memory limit; nothing for a service without one, such as one of your own.
memory_key() {
  local key
  key=$(tr 'a-z-' 'A-Z_' <<<"$1")_MEMORY
  case $1 in
    [ab]-* | bridge-* | observer) printf 'NODE_MEMORY\n' ;;
    *) grep -x "$key" <<<"$known_keys" || true ;;
  esac
}

# fail_if_crashed SERVICES: exits when waiting cannot help one of them: OOM-killed, or exited again and again.
fail_if_crashed() {
  local service state code restarts oom id key cure how
  while read -r service state _ code restarts oom id _; do
    [[ " $1 " == *" $service "* ]] || continue
    [ "$oom" = true ] || [ "$restarts" -ge 3 ] || [[ $state/$code == exited/[1-9]* ]] || continue
    docker logs --tail 10 "$id" >&2 2>&1 || true
    key=$(memory_key "$service") cure="Raise its mem_limit in deploy/compose.override.yaml."
    [ -z "$key" ] || cure="Raise $key in $(shown "$settings_file") (now $(setting "$key"))."
    [ "$oom" = false ] || fail 1 "$service was OOM-killed: it needs more memory than its limit" "$cure"
    # Docker keeps the exit code only until the next restart.
    how="exit $code"
    [[ $state == exited ]] || how="$restarts restarts"
    fail 1 "$service exits right after its start ($how); its last log lines are above" "The whole log: docker logs ${id:0:12}" 'Stop the rest: deploy/stop.sh'
  done < <(states)
}

# wait_healthy SECONDS JAEGER-SECONDS: time limits since SECONDS was 0; the second applies when only Jaeger is missing.
wait_healthy() {
  local waiting count names all before='' patient=no
  all=$(states | wc -l)
  [ "$all" -gt 0 ] || fail 1 'Compose started no container' 'Check its configuration: cd deploy && docker compose config'
  while :; do
    waiting=$(unhealthy)
    [ -n "$waiting" ] || break
    fail_if_crashed "${waiting//$'\n'/ }"
    count=$(wc -l <<<"$waiting") names=$(summary <<<"$waiting")
    if [ "$names" != "$before" ]; then
      say "$((all - count)) of $((all)) containers healthy; waiting for $names"
      before=$names
    fi
    if [ "$SECONDS" -ge "$1" ] && [ "$waiting" = jaeger ] && [ "$SECONDS" -lt "$2" ]; then
      [ "$patient" = yes ] || say "Jaeger reads the index of its stored spans: minutes for a week of spans, $2 s at most"
      patient=yes
    elif [ "$SECONDS" -ge "$1" ]; then
      fail 1 "not healthy after $SECONDS s: $names" 'They keep trying. See: deploy/status.sh' "And: docker logs CONTAINER; stop with: deploy/stop.sh"
    fi
    sleep 2
  done
  say "all $((all)) containers healthy after $SECONDS s"
}
