#!/usr/bin/env bash
# usage: deploy/build.sh [--settings FILE] [--offline]
#
# Builds the image of a node, TRACEMESH_IMAGE of the settings, from the current sources.
#
#   --settings FILE   settings of your own in place of deploy/local.env
#   --offline   build on the Node.js image of deploy/offline.sh images
#
# Exit codes: 0 ok, 1 the build failed, 2 usage error, 3 no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in say settings check-settings docker; do
  # shellcheck disable=SC1090
  . "$here/lib/$part.sh"
done

main() {
  local base image file=''
  while [ $# -gt 0 ]; do
    case $1 in
      --settings) require_value $# "$1"; file=$(find_settings_file "$2"); shift ;;
      --offline) use_offline_images ;;
      -h | --help) usage && return ;;
      *) usage_error "unknown option $1" ;;
    esac
    shift
  done
  find_docker
  load_settings "${file:-$here/local.env}"
  image=$(setting TRACEMESH_IMAGE) base=$(setting NODE_IMAGE)
  say "building $image on $base"
  docker build --tag "$image" --file "$here/Dockerfile" --build-arg "NODE_IMAGE=$base" "${here%/*}" ||
    fail 1 "building $image failed; the reason is above" "If $base cannot be pulled: deploy/offline.sh images builds a replacement, deploy/build.sh --offline uses it." \
      'If npm failed: the build needs its registry, and trusts only the certificate authorities of the base image.'
}

main "$@"
