# shellcheck shell=bash disable=SC2154
# Until everything is healthy.

# Services that are not (yet) as they should be, a line each.
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

# hopeless SERVICES: those of them that will not get better by waiting: killed for memory, or ended again and again.
hopeless() {
  local service state health code restarts oom id prefix
  while read -r service state health code restarts oom id _; do
    [[ " $1 " == *" $service "* ]] || continue
    [ "$oom" = true ] || [ "$restarts" -ge 3 ] || [[ $state/$code == exited/[1-9]* ]] || continue
    docker logs --tail 10 "$id" >&2 2>&1 || true
    prefix=NODE
    if shows_nodes "$service"; then prefix=$(tr '[:lower:]' '[:upper:]' <<<"$service"); fi
    [ "$oom" = false ] || fail 1 "$service was killed: it needs more memory than it is allowed" "Raise ${prefix}_MEMORY in deploy/.env (now $(setting "${prefix}_MEMORY"))."
    fail 1 "$service ends as soon as it is started (exit $code, health $health); its last words are above" "All of them: docker logs ${id:0:12}" 'Stop the rest: deploy/stop.sh'
  done < <(states)
}

# wait_healthy SECONDS JAEGER-SECONDS: until so many have gone by since SECONDS was 0, and longer for Jaeger alone.
wait_healthy() {
  local waiting all before='' patient=no
  all=$(states | wc -l)
  [ "$all" -gt 0 ] || fail 1 'Compose has started nothing' 'What it makes of its files: cd deploy && docker compose config'
  while :; do
    waiting=$(unhealthy | sort | uniq | paste -sd ' ' -)
    [ -n "$waiting" ] || break
    hopeless "$waiting"
    if [ "$waiting" != "$before" ]; then
      say "$((all - $(unhealthy | wc -l))) of $all are well; waiting for ${waiting:0:150}"
      before=$waiting
    fi
    if [ "$SECONDS" -ge "$1" ] && [ "$waiting" = jaeger ] && [ "$SECONDS" -lt "$2" ]; then
      [ "$patient" = yes ] || say "Jaeger reads the index of the spans that it has kept: minutes for a week of them, $2 s at most"
      patient=yes
    elif [ "$SECONDS" -ge "$1" ]; then
      fail 1 "not healthy after $SECONDS s: $waiting" 'They go on trying. See: deploy/status.sh' "And: docker logs CONTAINER; stop with: deploy/stop.sh"
    fi
    sleep 2
  done
  say "all $all are well after $SECONDS s"
}
