#!/usr/bin/env bash
# usage: deploy/build.sh [--offline]
#
# Builds the image of a node, TRACEMESH_IMAGE of deploy/.env, from the current sources.
#
#   --offline   build on the Node.js image of deploy/offline.sh images
#
# Exit codes: 0 ok, 1 the build failed, 2 usage error, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings docker; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done

main() {
  local base image
  case ${1:-} in
    '') ;;
    --offline) use_offline_images ;;
    -h | --help) usage && return ;;
    *) usage_error "unknown option $1" ;;
  esac
  find_docker
  image=$(setting TRACEMESH_IMAGE) base=$(setting NODE_IMAGE)
  say "building $image on $base"
  docker build --tag "$image" --file "$here/Dockerfile" --build-arg "NODE_IMAGE=$base" "${here%/*}" ||
    fail 1 "building $image failed; the reason is above" "If $base cannot be pulled: deploy/offline.sh images builds a replacement, deploy/build.sh --offline uses it." \
      'If npm failed: the build needs its registry, and trusts only the certificate authorities of the base image.'
}

main "$@"
