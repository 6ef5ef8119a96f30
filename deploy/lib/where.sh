# shellcheck shell=bash disable=SC2154
# Addresses of the stack.

where() {
  local on_terminal=no
  [ ! -t 1 ] || on_terminal=yes
  cat <<TEXT

page          http://127.0.0.1:$(setting PAGE_PORT)    token: $(page_token)
Jaeger        http://127.0.0.1:$(setting JAEGER_UI_PORT)
Prometheus    http://127.0.0.1:$(setting PROMETHEUS_PORT)/alerts
Alertmanager  http://127.0.0.1:$(setting ALERTMANAGER_PORT)
OTLP          http://127.0.0.1:$(setting OTLP_PORT)    for your own nodes: tracemesh lab --otlp ... --query ...
TEXT
  [ -z "$(setting PPROF_PORT)" ] || say "profiles      http://127.0.0.1:$(setting PPROF_PORT)/debug/pprof/    of the observer, with the same token"
  states | grep -q '^grafana ' && say "Grafana       http://127.0.0.1:$(setting GRAFANA_PORT)"
  say
  say 'deploy/status.sh shows its state, deploy/stop.sh stops it.'
}

# Prints the generated token only to a terminal: a log may be kept and read by others.
page_token() {
  local observer show=(cat /var/lib/tracemesh/page-token)
  [ -z "$(setting PAGE_TOKEN)" ] || { say 'PAGE_TOKEN of deploy/.env' && return; }
  observer=$(states | awk '$1 == "observer" { print $7 }')
  if [ -z "$observer" ]; then
    say 'none yet'
  elif [ "$on_terminal" = no ]; then
    say "see: docker exec ${observer:0:12} ${show[*]}"
  else
    docker exec "$observer" "${show[@]}" 2>/dev/null || say 'none yet'
  fi
}
