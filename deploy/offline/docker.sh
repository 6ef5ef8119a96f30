# shellcheck shell=bash disable=SC2154
# Installs Docker from Debian's packages, and starts its daemon without a service manager.

docker_packages() {
  local package missing=()
  for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail 3 "cannot install ${missing[*]}: this system is not Debian" 'Install Docker Engine and Compose with your package manager.'
  [ "$(id -u)" = 0 ] || fail 3 "installing ${missing[*]} needs root" "Run: sudo $0 docker"
  step packages "$(content_hash "${missing[@]}" "$SECONDS$RANDOM")" install_packages "${missing[@]}"
}
has_packages() { false; }

install_packages() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# The daemon outlives this script, as a service does.
docker_daemon() {
  local fd log=$stack/log/dockerd.log
  if docker info >/dev/null 2>&1; then
    say 'the Docker daemon runs'
    return
  fi
  [ "$(id -u)" = 0 ] || fail 3 'starting the Docker daemon needs root' "Run: sudo $0 docker"
  (
    # It must not keep the caller's descriptors open, such as that of a lock.
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
    exec setsid dockerd >"$log" 2>&1 </dev/null
  ) &
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
