# shellcheck shell=bash disable=SC2034
# Versions of the offline builds, those of deploy/.env, and the Go modules that contain them.

# Jaeger 2.13.0 is released as this tag of its module, too.
jaeger_version=2.13.0
jaeger_module=github.com/jaegertracing/jaeger@v1.76.0

# collector.yaml beside this file lists the components, all of one release.
collector_version=0.155.0
builder_module=go.opentelemetry.io/collector/cmd/builder@v$collector_version

# Prometheus numbers its module 0.MAJORMINOR.
prometheus_version=3.7.3
prometheus_module=github.com/prometheus/prometheus@v0.307.3

alertmanager_version=0.28.1
alertmanager_module=github.com/prometheus/alertmanager@v$alertmanager_version

compose_version=2.40.3
compose_module=github.com/docker/compose/v2@v$compose_version

node_version=24.21.0
npm_version=11.19.1
debian_release=bookworm

# The tag of deploy/k8s/opensearch, and the log4j that this release runs with.
opensearch_version=2.19.6
log4j_version=2.25.4
