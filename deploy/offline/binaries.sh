# shellcheck shell=bash disable=SC2154,SC2164
# Jaeger, Collector, Prometheus, Alertmanager and their tools, from the Go modules of their releases.

# go_build DIRECTORY MODULE@VERSION LDFLAGS PACKAGE...: builds commands of a module into DIRECTORY.
# It builds in a copy of the module, since `go install` refuses a module with replacements. Dependencies are those
# of the release, verified by its checksums. It first calls `prepare` there.
go_build() {
  local to=$1 release=$2 ldflags=$3 work source
  shift 3
  (
    make_workdir
    go_environment
    cd "$work"
    go mod download "$release"
    source=$(go list -m -f '{{.Dir}}' "$release")
    cp -R "$source" source
    chmod -R u+w source
    cd source
    "${prepare:-true}"
    go build -trimpath -ldflags "-s -w $ldflags" -o ../out/ "$@"
    install -m 755 ../out/* "$to/"
  )
}

# Go never contacts a version control host: a module that the proxy does not serve is an error. An interrupted Go leaves
# its files in the work directory.
go_environment() {
  export CGO_ENABLED=0 GOVCS='*:off' GOFLAGS=-buildvcs=false GOWORK=off GOTMPDIR=$work
  unset GOOS GOARCH GOBIN
}

build_jaeger() {
  local module=${jaeger_module%@*}
  go_build "$stack/bin" "$jaeger_module" "-X $module/internal/version.latestVersion=v$jaeger_version" ./cmd/jaeger
}
has_jaeger() { runs jaeger version; }

build_prometheus() {
  prepare=without_clouds go_build "$stack/bin" "$prometheus_module" "-X github.com/prometheus/common/version.Version=$prometheus_version" \
    ./cmd/prometheus ./cmd/promtool
}
# Builders may shorten the list of service discoveries: the clients of every cloud are most of the work, and
# otel/prometheus.yml names its targets.
without_clouds() { printf 'package plugins\n' >plugins/plugins.go; }
has_prometheus() { runs prometheus --version && runs promtool --version; }

build_alertmanager() {
  go_build "$stack/bin" "$alertmanager_module" "-X github.com/prometheus/common/version.Version=$alertmanager_version" \
    ./cmd/alertmanager ./cmd/amtool
}
has_alertmanager() { runs alertmanager --version && runs amtool --version; }

# The Collector's own builder writes its sources. Its final `go mod tidy` also requests modules that only tests of
# dependencies need, some of which no proxy serves; by then sources and go.mod are complete.
build_collector() {
  local work
  make_workdir
  go_build "$work" "$builder_module" '' .
  go_environment
  cd "$work"
  ./builder --skip-compilation --config "$here/offline/collector.yaml" || [ -f sources/go.mod ]
  cd sources
  go mod tidy -e
  go build -trimpath -ldflags '-s -w' -o "$stack/bin/otelcol-contrib" .
}
has_collector() { runs otelcol-contrib --version; }

# Compose v2 for machines that only have v1: `COMPOSE=.../docker-compose-v2 deploy/start.sh`.
build_compose() {
  local work module=${compose_module%@*}
  make_workdir
  go_build "$work" "$compose_module" "-X $module/internal.Version=v$compose_version" ./cmd
  install -m 755 "$work/cmd" "$stack/bin/docker-compose-v2"
}
has_compose() { runs docker-compose-v2 version; }

runs() {
  "$stack/bin/$1" "${@:2}" >/dev/null 2>&1
}

make_binary() {
  command -v go >/dev/null ||
    fail 3 'Go is not installed; it builds the binaries' 'Install Go 1.25 or newer (https://go.dev/dl), then run this again.'
  case $1 in
    jaeger) step jaeger "$(content_hash "$jaeger_module")" build_jaeger ;;
    collector) step collector "$(content_hash "$here/offline/collector.yaml")" build_collector ;;
    prometheus) step prometheus "$(content_hash "$prometheus_module")" build_prometheus ;;
    alertmanager) step alertmanager "$(content_hash "$alertmanager_module")" build_alertmanager ;;
    compose) step compose "$(content_hash "$compose_module")" build_compose ;;
    *) usage_error "unknown binary $1; known: jaeger collector prometheus alertmanager" ;;
  esac
}
