#!/usr/bin/env bash
# usage: healthy [PATH]
# Exits with 0 when the node in this container (MESH_ADMIN) answers PATH (/healthz) with 200. Bash opens the connection
# itself: an image based on slim has no curl, and a Node.js process for every check would cost more than the node.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${MESH_ADMIN##*:}"
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "${1:-/healthz}" >&3
# macOS has no `timeout`, and deploy/status.sh runs this script there.
read -t 3 -r _ status _ <&3
[ "$status" = 200 ]
