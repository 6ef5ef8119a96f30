# shellcheck shell=bash disable=SC2154
# What can be wrong with a machine, found before anything is started.

# MiB in use a few minutes after a start, and half as much again: of a node, and of all that is no node. Measured.
node_mib=70 others_mib=500
# Of the others, what Collector and Jaeger, which grow with the spans that they keep, have no part in.
small_mib=250
# GB of the Collector's files, Jaeger's week, Prometheus and a full queue, as deploy/.env bounds them. Measured.
week_gb=24

# check_memory NODES
check_memory() {
  local needed=$((node_mib * $1 + others_mib)) available
  [ -r /proc/meminfo ] || return 0
  available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  [ "$available" -ge "$needed" ] ||
    fail 1 "$available MiB of memory are available, and $1 nodes with what shows them need about $needed" \
      'End something else, or start fewer nodes: deploy/start.sh --nodes 1'
  needed=$((node_mib * $1 + small_mib + $(limit COLLECTOR) + $(limit JAEGER)))
  [ "$available" -ge "$needed" ] ||
    say "note: $available MiB of memory are available; with a week of spans it may need $needed. JAEGER_MEMORY and JAEGER_GOMEMLIMIT bound the most of it."
}

# limit SERVICE: what a Go program keeps to, MiB.
limit() {
  local value
  value=$(setting "$1_GOMEMLIMIT")
  printf '%s\n' "${value%MiB}"
}

# Where Docker runs in a machine of its own, its disk is not seen from here.
check_disk() {
  local root free
  root=$(docker info --format '{{.DockerRootDir}}')
  [ -d "$root" ] || return 0
  free=$(df -Pk "$root" | awk 'NR == 2 { print int($4 * 1024 / 1e9) }')
  [ "$free" -ge "$week_gb" ] ||
    say "note: $free GB are free at $root; a week of spans takes up to $week_gb. SPANS_FILES, JAEGER_TTL and PROMETHEUS_KEEPS_AT_MOST bound them."
}

# Those of the stack that runs are its own.
check_ports() {
  local key port owner ours
  ours=$(containers | xargs -r docker inspect --format '{{range .HostConfig.PortBindings}}{{range .}}{{.HostPort}} {{end}}{{end}}')
  for key in $(port_keys); do
    [ "$key" != GRAFANA_PORT ] || [ "$grafana" = yes ] || continue
    port=$(setting "$key")
    [ -n "$port" ] || continue
    [[ " $ours " != *[[:space:]]"$port"[[:space:]]* ]] || continue
    listening "$port" || continue
    owner=$(docker ps --filter "publish=$port" --format '{{.Names}}' | head -n 1)
    fail 1 "port $port is taken${owner:+ by the container $owner}" "End what listens there, or give $key another number in deploy/.env." \
      "For once: $key=$((port + 10000 > 65535 ? port - 10000 : port + 10000)) deploy/start.sh"
  done
}

# Each program reads its own configuration, in the very image that will run with it.
check_files() {
  local root=${here%/*}
  readable "$root"/otel/{collector.yaml,prometheus.yml,alertmanager.yml,rules/*.yml} "$root"/jaeger/{jaeger.yaml,ui.json}
  try 'otel/collector.yaml' "$(setting COLLECTOR_IMAGE)" '' "$root/otel/collector.yaml:/c.yaml" validate --config /c.yaml
  try 'jaeger/jaeger.yaml' "$(setting JAEGER_IMAGE)" '' "$root/jaeger/jaeger.yaml:/c.yaml" validate --config /c.yaml
  try 'otel/prometheus.yml or a file of otel/rules' "$(setting PROMETHEUS_IMAGE)" /bin/promtool \
    "$root/otel/prometheus.yml:/etc/prometheus/prometheus.yml $root/otel/rules:/etc/prometheus/rules" check config /etc/prometheus/prometheus.yml
  try 'otel/alertmanager.yml' "$(setting ALERTMANAGER_IMAGE)" /bin/amtool "$root/otel/alertmanager.yml:/c.yml" check-config /c.yml
}

readable() {
  local file
  for file in "$@"; do
    [ -e "$file" ] || fail 1 "${file#"${here%/*}/"} is missing" "Bring it back: git checkout ${file#"${here%/*}/"}; what is generated: npm run generate"
    [ -n "$(find "$file" -perm -o=r)" ] ||
      fail 1 "${file#"${here%/*}/"} can be read by you alone, and the containers run as other users" "chmod -R o+rX ${here%/*}/otel ${here%/*}/jaeger"
  done
}

# try WHAT IMAGE ENTRYPOINT MOUNTS COMMAND...
try() {
  local what=$1 image=$2 entrypoint=$3 mount said mounts=()
  for mount in $4; do mounts+=(--volume "$mount:ro"); done
  said=$(docker run --rm --network none ${entrypoint:+--entrypoint "$entrypoint"} "${mounts[@]}" "$image" "${@:5}" 2>&1) ||
    fail 1 "$what is refused by $image" "${said:0:2000}" "What is generated is made anew by: npm run generate; the repository's own: git checkout otel jaeger"
}
