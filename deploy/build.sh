#!/usr/bin/env bash
# usage: deploy/build.sh [--offline]
#
# Builds the image of a node, TRACEMESH_IMAGE of deploy/.env, from the sources as they are now.
#
#   --offline   on the Node.js image of deploy/offline.sh images
#
# Exit codes: 0 fine, 1 it cannot be built, 2 used wrongly, 3 no Docker.
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
    *) wrong "there is no $1" ;;
  esac
  find_docker
  image=$(setting TRACEMESH_IMAGE) base=$(setting NODE_IMAGE)
  say "building $image on $base"
  docker build --tag "$image" --file "$here/Dockerfile" --build-arg "NODE_IMAGE=$base" "${here%/*}" ||
    fail 1 "$image could not be built; why is above" "Was it $base that could not be pulled? deploy/offline.sh images makes one, deploy/build.sh --offline takes it." \
      'Was it npm? The build needs its registry, and inside the image it knows only the authorities of the base image.'
}

main "$@"
