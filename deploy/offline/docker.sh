# shellcheck shell=bash disable=SC2154
# Docker itself, on a machine that has none: Debian's packages, and the daemon without a service manager.

docker_packages() {
  local package missing=()
  for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail 3 "${missing[*]} cannot be installed: this is no Debian" 'Install Docker Engine and Compose as your system does.'
  [ "$(id -u)" = 0 ] || fail 3 "installing ${missing[*]} needs root" "Run: sudo $0 docker"
  step packages "$(recipe "${missing[@]}" "$SECONDS$RANDOM")" install_packages "${missing[@]}"
}
made_packages() { false; }

install_packages() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# Runs on after this script, as a service would.
docker_daemon() {
  local log=$stack/log/dockerd.log
  if docker info >/dev/null 2>&1; then
    say 'the Docker daemon runs'
    return
  fi
  [ "$(id -u)" = 0 ] || fail 3 'starting the Docker daemon needs root' "Run: sudo $0 docker"
  setsid dockerd >"$log" 2>&1 </dev/null 9>&- &
  printf '%s\n' $! >"$stack/dockerd.pid"
  for _ in $(seq 60); do
    if docker info >/dev/null 2>&1; then
      say "the Docker daemon runs; kill \$(cat $stack/dockerd.pid) ends it"
      return
    fi
    kill -0 "$(cat "$stack/dockerd.pid")" 2>/dev/null || break
    sleep 1
  done
  tail -n 10 "$log" >&2
  fail 1 'the Docker daemon does not start' "Its output is in $log"
}
