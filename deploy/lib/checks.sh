# shellcheck shell=bash disable=SC2154
# Checks of the machine before anything starts.

# MiB in use a few minutes after a start, and half as much again: of a node, and of all other services. Measured.
node_mib=70 others_mib=500
# Of the others without Collector and Jaeger, which grow with the spans that they store.
small_mib=250
# GB of the Collector's files, Jaeger's week, Prometheus and a full queue, as deploy/.env bounds them. Measured.
week_gb=24

# check_memory NODES
check_memory() {
  local needed=$((node_mib * $1 + others_mib)) available
  [ -r /proc/meminfo ] || return 0
  available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  [ "$available" -ge "$needed" ] ||
    fail 1 "$available MiB of memory available; $1 nodes and the other services need about $needed" \
      'Free memory, or start fewer nodes: deploy/start.sh --nodes 1'
  needed=$((node_mib * $1 + small_mib + $(limit COLLECTOR) + $(limit JAEGER)))
  [ "$available" -ge "$needed" ] ||
    say "note: $available MiB of memory available; with a week of spans the stack may need $needed. JAEGER_MEMORY and JAEGER_GOMEMLIMIT bound most of it."
}

# limit SERVICE: memory limit of a Go program, MiB.
limit() {
  local value
  value=$(setting "$1_GOMEMLIMIT")
  printf '%s\n' "${value%MiB}"
}

# Where Docker runs in a virtual machine, its disk is not visible from here.
check_disk() {
  local root free
  root=$(docker info --format '{{.DockerRootDir}}')
  [ -d "$root" ] || return 0
  free=$(df -Pk "$root" | awk 'NR == 2 { print int($4 * 1024 / 1e9) }')
  [ "$free" -ge "$week_gb" ] ||
    say "note: $free GB free at $root; a week of spans needs up to $week_gb. SPANS_FILES, JAEGER_TTL and PROMETHEUS_KEEPS_AT_MOST bound them."
}

# Names all ports that are in use, with free ones. A running stack uses its own ports.
check_ports() {
  local key port owner ours free used=' ' taken='' lines=()
  ours=$(containers | xargs -r docker inspect --format '{{range .HostConfig.PortBindings}}{{range .}}{{.HostPort}} {{end}}{{end}}' | paste -sd ' ' -)
  for key in $(port_keys); do used="$used$(setting "$key") "; done
  for key in $(port_keys); do
    [ "$key" != GRAFANA_PORT ] || [ "$grafana" = yes ] || continue
    port=$(setting "$key")
    [ -n "$port" ] || continue
    [[ " $ours " != *" $port "* ]] || continue
    listening "$(bound_host "$key")" "$port" || continue
    owner=$(docker ps --filter "publish=$port" --format '{{.Names}}' | head -n 1)
    taken="$taken${taken:+, }$port ($key${owner:+, by the container $owner})"
    free=$(free_port "$key" "$port") used="$used$free "
    lines+=("  $key=$free")
  done
  [ -z "$taken" ] || fail 1 "in use: port $taken" 'Stop the programs that listen there, or set other ports: in your shell for once, or in' \
    "$(shown "$settings_file"):" "${lines[@]}"
}

# free_port KEY PORT: a free one that is not in `used`.
free_port() {
  local port=$(($2 + 10000 > 65000 ? $2 - 10000 : $2 + 10000))
  while [[ $used == *" $port "* ]] || listening "$(bound_host "$1")" "$port"; do port=$((port + 1)); done
  printf '%s\n' "$port"
}

# What a bind address beyond loopback exposes.
report_exposure() {
  local address
  address=$(setting BIND_ADDRESS)
  case $address in
    127.*) ;;
    *) printf '%s\n' "note: BIND_ADDRESS=$address exposes Jaeger, Prometheus, Alertmanager, and Grafana if it runs, without a password:" \
      '      every host that reaches them can read all spans and silence alerts. Only the page asks for a token, in clear' \
      '      text. Restrict access with a firewall, or put a proxy with TLS and sign-in in front.' ;;
  esac
  address=$(setting OTLP_BIND_ADDRESS)
  case $address in
    127.*) ;;
    *) say "note: OTLP_BIND_ADDRESS=$address accepts spans without a password from every host that reaches it." ;;
  esac
}

# Each program validates its own configuration, in the image that will run with it.
check_files() {
  local root=${here%/*}
  check_readable "$root"/otel/{collector.yaml,prometheus.yml,alertmanager.yml,rules/*.yml} "$root"/jaeger/{jaeger.yaml,ui.json}
  validate_config 'otel/collector.yaml' "$(setting COLLECTOR_IMAGE)" '' "$root/otel/collector.yaml:/c.yaml" validate --config /c.yaml
  validate_config 'jaeger/jaeger.yaml' "$(setting JAEGER_IMAGE)" '' "$root/jaeger/jaeger.yaml:/c.yaml" validate --config /c.yaml
  validate_config 'otel/prometheus.yml or a file of otel/rules' "$(setting PROMETHEUS_IMAGE)" /bin/promtool \
    "$root/otel/prometheus.yml:/etc/prometheus/prometheus.yml $root/otel/rules:/etc/prometheus/rules" check config /etc/prometheus/prometheus.yml
  validate_config 'otel/alertmanager.yml' "$(setting ALERTMANAGER_IMAGE)" /bin/amtool "$root/otel/alertmanager.yml:/c.yml" check-config /c.yml
}

check_readable() {
  local file
  for file in "$@"; do
    [ -e "$file" ] || fail 1 "${file#"${here%/*}/"} is missing" "Restore it: git checkout ${file#"${here%/*}/"}; a generated file: npm run generate"
    [ -n "$(find "$file" -perm -o=r)" ] ||
      fail 1 "${file#"${here%/*}/"} is readable by you alone, and the containers run as other users" "chmod -R o+rX ${here%/*}/otel ${here%/*}/jaeger"
  done
}

# validate_config WHAT IMAGE ENTRYPOINT MOUNTS COMMAND...
validate_config() {
  local what=$1 image=$2 entrypoint=$3 mount output mounts=()
  for mount in $4; do mounts+=(--volume "$mount:ro"); done
  output=$(docker run --rm --network none ${entrypoint:+--entrypoint "$entrypoint"} "${mounts[@]}" "$image" "${@:5}" 2>&1) ||
    fail 1 "$image rejects $what" "${output:0:2000}" "Restore it: git checkout otel jaeger; a generated file: npm run generate"
}
