#!/usr/bin/env bash
# usage: deploy/k8s/check/build.sh
#
# Builds k8s-check, which validates deploy/k8s without a cluster, into bin/ of the cache: TRACEMESH_STACK, by default
# ~/.cache/tracemesh/stack. Kubernetes' own validation comes from its Go modules, and the types of the Prometheus operator from its own, at the versions below.
# Exit codes: 0 ok, 1 the build failed, 2 usage error, 3 Go is not installed.
set -euo pipefail
version=34.2
operator=0.92.1

here=$(cd "$(dirname "$0")" && pwd)
case ${1:-} in
  '') ;;
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
    exit 0
    ;;
  *)
    echo "build.sh accepts no argument: $1" >&2
    exit 2
    ;;
esac
command -v go >/dev/null || {
  echo 'Go is not installed; it builds k8s-check. Install Go 1.26 or newer (https://go.dev/dl).' >&2
  exit 3
}

bin=${TRACEMESH_STACK:-$HOME/.cache/tracemesh/stack}/bin
mkdir -p "$bin"
recipe=$(cat "$here"/*.go "$0" | sha256sum | cut -c1-16)
if [ -x "$bin/k8s-check" ] && [ "$(cat "$bin/.k8s-check" 2>/dev/null)" = "$recipe" ]; then
  echo "$bin/k8s-check exists"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# Go never contacts a version control host: a module that the proxy does not serve is an error.
export CGO_ENABLED=0 GOVCS='*:off' GOFLAGS=-buildvcs=false GOWORK=off
cp "$here"/*.go "$work"
cd "$work"
# Kubernetes requires its own modules by path in its repository; each is also published at the same version.
cat >go.mod <<MOD
module tracemesh.invalid/k8s-check

go 1.26.0

require k8s.io/kubernetes v1.$version

require github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring v$operator
MOD
source=$(go mod download -json "k8s.io/kubernetes@v1.$version" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
sed -n "s|^\t\(k8s.io/[a-z-]*\) => ./staging/.*|replace \1 => \1 v0.$version|p" "$source/go.mod" >>go.mod
install -m 644 "$source/go.sum" go.sum
go mod tidy
go build -trimpath -ldflags '-s -w' -o "$bin/k8s-check.new" .
mv "$bin/k8s-check.new" "$bin/k8s-check"
printf '%s\n' "$recipe" >"$bin/.k8s-check"
echo "built $bin/k8s-check"
