# shellcheck shell=bash disable=SC2154,SC2164
# Images that replace the public ones: the same commands, users, paths and volumes, with the binaries built here.

images() {
  docker info >/dev/null 2>&1 ||
    fail 3 'Docker is not reachable; it builds the images' "Start it, or on Debian run: $0 docker"
  docker_packages debootstrap busybox-static
  image debian "$debian_release" "$debian_release" debian_image
  image node "$node_version" "$npm_version" node_image
  image busybox static "$(dpkg-query -W -f '${Version}' busybox-static)" busybox_image
  image jaeger "$jaeger_version" "$(cat "$stack/made/jaeger")" binary_image jaeger
  image otel-collector "$collector_version" "$(cat "$stack/made/collector")" binary_image otelcol-contrib
  image prometheus "$prometheus_version" "$(cat "$stack/made/prometheus")" binary_image prometheus promtool
  image alertmanager "$alertmanager_version" "$(cat "$stack/made/alertmanager")" binary_image alertmanager amtool
  say "images: $(sed -n 's/^[A-Z_]*IMAGE=//p' "$here/offline.env" | paste -sd ' ' -)"
}

# image NAME VERSION RECIPE COMMAND...: COMMAND builds tracemesh-offline/NAME:VERSION in its own work directory.
image() {
  tag=tracemesh-offline/$1:$2 dockerfile=$here/offline/$1.Dockerfile
  [ -f "$dockerfile" ] || dockerfile=''
  step "image-$1" "$(content_hash "$2" "$3" "$dockerfile")" in_workdir "${@:4}"
}
has_image() { docker image inspect "$tag" >/dev/null 2>&1; }

in_workdir() {
  local work
  make_workdir
  cd "$work"
  "$@"
}

# Each image contains the machine's certificate authorities: behind a TLS proxy it needs them to reach a registry.
build_image() {
  cp /etc/ssl/certs/ca-certificates.crt .
  docker build --quiet --tag "$tag" --file "$dockerfile" .
}

debian_image() {
  debootstrap --variant=minbase --include=ca-certificates "$debian_release" root
  cp /etc/ssl/certs/ca-certificates.crt root/etc/ssl/certs/
  rm -rf root/var/cache/apt root/var/lib/apt/lists root/usr/share/{doc,man,locale,info}
  mkdir -p root/var/cache/apt/archives/partial root/var/lib/apt/lists/partial
  tar -C root -c . | docker import --change 'CMD ["bash"]' - "$tag"
}

node_image() {
  local platform
  case $(uname -m) in
    x86_64) platform=linux-x64 ;;
    aarch64) platform=linux-arm64 ;;
    *) fail 3 "Node.js has no package for $(uname -m)" ;;
  esac
  unpack "node-$platform@$node_version" node
  unpack "npm@$npm_version" npm
  build_image
}

# unpack PACKAGE@VERSION DIRECTORY: a package as npm fetches and verifies it.
unpack() {
  local archive
  archive=$(npm pack --silent "$1")
  mkdir "$2"
  tar -xzf "$archive" --strip-components=1 -C "$2"
  rm "$archive"
}

busybox_image() {
  cp "$(command -v busybox)" busybox
  build_image
}

binary_image() {
  local binary
  for binary in "$@"; do cp "$stack/bin/$binary" .; done
  build_image
}

clean() {
  local tags
  if docker info >/dev/null 2>&1; then
    tags=$(docker image ls --format '{{.Repository}}:{{.Tag}}' 'tracemesh-offline/*')
    # shellcheck disable=SC2086
    [ -z "$tags" ] || docker image rm $tags >/dev/null ||
      fail 1 'an image is in use' 'Stop its containers: deploy/stop.sh'
  fi
  rm -rf "$stack"/work.* "$stack/log" "$stack"/made/image-*
  [ "${1:-}" != all ] || rm -rf "${stack:?}"/{bin,made,opensearch,lock,dockerd.pid}
  say "clean; Go keeps caches of its own, see: go env GOCACHE GOMODCACHE"
}
