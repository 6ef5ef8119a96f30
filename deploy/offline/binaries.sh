# shellcheck shell=bash disable=SC2154,SC2164
# Jaeger, Collector, Prometheus, Alertmanager and their tools, from the Go modules of their releases.

# go_build DIRECTORY MODULE@VERSION LDFLAGS PACKAGE...: builds commands of a module into DIRECTORY.
# Within a copy of the module, since `go install` refuses one that replaces others. So its dependencies are those that
# its authors released it with, each verified by the checksums that came along. `prepare` is called there first.
go_build() {
  local to=$1 release=$2 ldflags=$3 work source
  shift 3
  (
    workshop
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

# No version control host is asked, ever: what the module proxy does not serve is an error. Whatever Go leaves behind when
# it is interrupted is in the workshop.
go_environment() {
  export CGO_ENABLED=0 GOVCS='*:off' GOFLAGS=-buildvcs=false GOWORK=off GOTMPDIR=$work
  unset GOOS GOARCH GOBIN
}

build_jaeger() {
  local module=${jaeger_module%@*}
  go_build "$stack/bin" "$jaeger_module" "-X $module/internal/version.latestVersion=v$jaeger_version" ./cmd/jaeger
}
made_jaeger() { runs jaeger version; }

build_prometheus() {
  prepare=without_clouds go_build "$stack/bin" "$prometheus_module" "-X github.com/prometheus/common/version.Version=$prometheus_version" \
    ./cmd/prometheus ./cmd/promtool
}
# The list of its service discoveries is for builders to shorten: the clients of every cloud are most of the work, and
# otel/prometheus.yml names its targets.
without_clouds() { printf 'package plugins\n' >plugins/plugins.go; }
made_prometheus() { runs prometheus --version && runs promtool --version; }

build_alertmanager() {
  go_build "$stack/bin" "$alertmanager_module" "-X github.com/prometheus/common/version.Version=$alertmanager_version" \
    ./cmd/alertmanager ./cmd/amtool
}
made_alertmanager() { runs alertmanager --version && runs amtool --version; }

# The Collector's own builder writes its sources. It ends by tidying, which also asks for modules that only tests of
# dependencies need, and some of those are served nowhere: sources and go.mod are complete by then.
build_collector() {
  local work
  workshop
  go_build "$work" "$builder_module" '' .
  go_environment
  cd "$work"
  ./builder --skip-compilation --config "$here/offline/collector.yaml" || [ -f sources/go.mod ]
  cd sources
  go mod tidy -e
  go build -trimpath -ldflags '-s -w' -o "$stack/bin/otelcol-contrib" .
}
made_collector() { runs otelcol-contrib --version; }

# Compose v2 for machines that have v1 only: `COMPOSE=.../docker-compose-v2 deploy/start.sh`.
build_compose() {
  local work module=${compose_module%@*}
  workshop
  go_build "$work" "$compose_module" "-X $module/internal.Version=v$compose_version" ./cmd
  install -m 755 "$work/cmd" "$stack/bin/docker-compose-v2"
}
made_compose() { runs docker-compose-v2 version; }

runs() {
  "$stack/bin/$1" "${@:2}" >/dev/null 2>&1
}

make_binary() {
  command -v go >/dev/null ||
    fail 3 'Go is not installed, and the binaries are built with it' 'Install Go 1.25 or newer (https://go.dev/dl), then run this again.'
  case $1 in
    jaeger) step jaeger "$(recipe "$jaeger_module")" build_jaeger ;;
    collector) step collector "$(recipe "$here/offline/collector.yaml")" build_collector ;;
    prometheus) step prometheus "$(recipe "$prometheus_module")" build_prometheus ;;
    alertmanager) step alertmanager "$(recipe "$alertmanager_module")" build_alertmanager ;;
    compose) step compose "$(recipe "$compose_module")" build_compose ;;
    *) wrong "there is no binary $1, only jaeger collector prometheus alertmanager" ;;
  esac
}
