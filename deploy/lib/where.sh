# shellcheck shell=bash disable=SC2154
# Addresses of the stack.

where() {
  local on_terminal=no otlp
  [ ! -t 1 ] || on_terminal=yes
  otlp=$(setting OTLP_BIND_ADDRESS)
  [ "$otlp" != 0.0.0.0 ] || otlp=$(setting PUBLIC_HOST)
  otlp=http://$otlp:$(setting OTLP_PORT)
  cat <<TEXT

page          $(setting PAGE_URL)    token: $(page_token)
Jaeger        $(setting JAEGER_URL)
Prometheus    $(setting PROMETHEUS_EXTERNAL_URL)/alerts
Alertmanager  $(setting ALERTMANAGER_EXTERNAL_URL)
OTLP          $otlp    for your own nodes: tracemesh lab --otlp $otlp --query $(setting JAEGER_URL)
TEXT
  [ -z "$(setting PPROF_PORT)" ] || say "profiles      http://127.0.0.1:$(setting PPROF_PORT)/debug/pprof/    of the observer, with the same token"
  states | grep -q '^grafana ' && say "Grafana       $(setting GRAFANA_ROOT_URL)"
  say "project       $(setting COMPOSE_PROJECT_NAME), settings: $(shown "$settings_file")"
  missing_pages
  say
  say 'deploy/status.sh shows its state, deploy/stop.sh stops it.'
}

# No Go module contains the pages of Jaeger and Prometheus, so the images of deploy/offline.sh have none.
missing_pages() {
  if [[ $(page_text JAEGER_UI_PORT /) == *'placeholder for the Jaeger UI'* ]]; then
    say
    say "note: this image of Jaeger has no page. Read traces on the page of the observer: $(setting PAGE_URL)/#/traces"
    say '      Or set JAEGER_UI_ASSETS to a directory with the built page of Jaeger.'
  fi
  if [[ $(page_text PROMETHEUS_PORT /query) == *'Error opening React index.html'* ]]; then
    say
    say "note: this image of Prometheus has no page. See alerts at $(setting ALERTMANAGER_EXTERNAL_URL)/#/alerts, series by"
    say "      its API: $(setting PROMETHEUS_EXTERNAL_URL)/api/v1/query?query=ALERTS"
  fi
}

# Prints a token only to a terminal: a log may be kept and read by others.
page_token() {
  local observer show=(cat /var/lib/tracemesh/page-token)
  if [ -n "$(setting PAGE_TOKEN)" ]; then
    if [ "$on_terminal" = yes ]; then setting PAGE_TOKEN; else say "PAGE_TOKEN of $(token_source)"; fi
    return
  fi
  observer=$(states | awk '$1 == "observer" { print $7 }')
  if [ -z "$observer" ]; then
    say 'none yet'
  elif [ "$on_terminal" = no ]; then
    say "see: docker exec ${observer:0:12} ${show[*]}"
  else
    docker exec "$observer" "${show[@]}" 2>/dev/null || say 'none yet'
  fi
}

token_source() {
  case " $shell_keys " in *' PAGE_TOKEN '*) say 'your shell' ;; *) shown "$settings_file" ;; esac
}
