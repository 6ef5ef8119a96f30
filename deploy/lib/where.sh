# shellcheck shell=bash disable=SC2154
# Where to look.

where() {
  local token='PAGE_TOKEN of deploy/.env'
  [ -n "$(setting PAGE_TOKEN)" ] || token=$(compose exec -T observer cat /var/lib/tracemesh/page-token 2>/dev/null) || token='none yet'
  cat <<TEXT

page          http://127.0.0.1:$(setting PAGE_PORT)    token: $token
Jaeger        http://127.0.0.1:$(setting JAEGER_UI_PORT)
Prometheus    http://127.0.0.1:$(setting PROMETHEUS_PORT)/alerts
Alertmanager  http://127.0.0.1:$(setting ALERTMANAGER_PORT)
OTLP          http://127.0.0.1:$(setting OTLP_PORT)    for nodes of your own: tracemesh lab --otlp ... --query ...
TEXT
  [ -z "$(setting PPROF_PORT)" ] || say "profiles      http://127.0.0.1:$(setting PPROF_PORT)/debug/pprof/    of the observer, with the same token"
  states | grep -q '^grafana ' && say "Grafana       http://127.0.0.1:$(setting GRAFANA_PORT)"
  say
  say 'deploy/status.sh says how it is, deploy/stop.sh ends it.'
}
