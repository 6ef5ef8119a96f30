# shellcheck shell=bash disable=SC2034,SC2154
# Which stack a script speaks of. start.sh records what it starts a stack with, so that later commands find it: a file
# per project, with all its settings and these:
#   STACK_SETTINGS  the settings file
#   STACK_SHELL     keys whose values came from the shell
#   STACK_GRAFANA, STACK_OFFLINE, STACK_COMPOSE, STACK_QUICK_CHECKS: how it was started
records=$here/.started

# choose_stack FILE: sets record, the file of the stack, or '' if nothing was started from here: of the project in the
# shell, or in FILE, or else of the only one that runs, or of the only one that has run.
choose_stack() {
  local file name all='' running=''
  record=''
  if [ -n "${COMPOSE_PROJECT_NAME:-}" ]; then
    name=$COMPOSE_PROJECT_NAME
  elif [ -n "$1" ]; then
    name=$(load_settings "$1" && setting COMPOSE_PROJECT_NAME)
  else
    for file in "$records"/*.env; do
      [ -f "$file" ] || continue
      name=${file##*/} name=${name%.env} all="$all $name"
      [ -z "$(containers_of "$name")" ] || running="$running $name"
    done
    name=${running:-$all} name=${name# }
    [[ $name != *' '* ]] ||
      fail 2 "several stacks ${running:+run, }started from here: ${name// /, }" "Name one: COMPOSE_PROJECT_NAME=${name%% *} deploy/${0##*/}"
  fi
  if [ -f "$records/$name.env" ]; then record=$records/$name.env; fi
}

# use_stack FILE: the settings of a stack as it was started, or else those that it would be started with.
use_stack() {
  choose_stack "$1"
  if [ -n "$record" ]; then
    # A setting that is newer than the record has its default.
    read_settings cfg "$here/.env"
    read_settings cfg "$record"
    settings_file=$cfg_STACK_SETTINGS shell_keys=$cfg_STACK_SHELL
  else
    load_settings "${1:-$default_settings}"
    derive_settings
  fi
}

# settings_of_start FILE: the settings of a start, with what a running stack was started with. Sets was_running, the
# containers of the stack, and of start.sh its grafana and offline.
settings_of_start() {
  local project=''
  settings_file='' was_running=''
  [ -z "$1" ] || settings_file=$(find_settings_file "$1")
  choose_stack "$settings_file"
  if [ -n "$record" ]; then
    project=${record##*/} project=${project%.env}
    was_running=$(containers_of "$project")
    remember
  fi
  settings_file=${settings_file:-$default_settings}
  ! is_special "$settings_file${COMPOSE:-}" || fail 2 "the path $settings_file, or COMPOSE, $special" 'The record of the start cannot keep it. Rename it.'
  [ -e "$settings_file" ] || [ "$settings_file" != "$default_settings" ] || create_settings
  [ -e "$settings_file" ] || fail 2 "$(shown "$settings_file"), of the last start, does not exist" 'Restore it, or name another: deploy/start.sh --settings FILE'
  [ "$offline" = no ] || use_offline_images
  report_changed_defaults
  load_settings "$settings_file"
  check_settings
  derive_settings
  [ -z "${own_PAGE_TOKEN:-}" ] || [ -z "$(find "$settings_file" -perm -o=r)" ] ||
    say "note: every user of this machine can read the token of the page in $(shown "$settings_file"): chmod 600 it"
  [ -z "$was_running" ] || [ "$project" = "$cfg_COMPOSE_PROJECT_NAME" ] ||
    fail 2 "the stack $project runs with $(shown "$settings_file"), which now has COMPOSE_PROJECT_NAME=$cfg_COMPOSE_PROJECT_NAME" 'Stop it first: deploy/stop.sh'
  record=$records/$cfg_COMPOSE_PROJECT_NAME.env was_running=$(containers)
}

# A change of a tracked file conflicts with its next version.
report_changed_defaults() {
  [ -z "$(git -C "$here" status --porcelain --untracked-files=no -- .env 2>/dev/null)" ] ||
    say "note: deploy/.env has changes; move them to $(shown "$settings_file"), then: git checkout deploy/.env"
}

# Takes over how the stack was started: of one that runs everything, of a stopped one the project and settings file.
remember() {
  local key name
  read_settings started "$record"
  settings_file=${settings_file:-$started_STACK_SETTINGS}
  for key in $started_STACK_SHELL; do
    name=started_$key
    if [ -n "$was_running" ] || [ "$key" = COMPOSE_PROJECT_NAME ]; then printf -v "shell_$key" %s "${!name:-}"; fi
  done
  [ -n "$was_running" ] || return 0
  [ "$started_STACK_GRAFANA" = no ] || grafana=yes
  [ "$started_STACK_OFFLINE" = no ] || offline=yes
  cfg_STACK_COMPOSE=$started_STACK_COMPOSE
}

record_start() {
  cfg_STACK_SETTINGS=$settings_file cfg_STACK_SHELL=${shell_keys# } cfg_STACK_GRAFANA=$grafana cfg_STACK_OFFLINE=$offline
  cfg_STACK_COMPOSE="${compose[*]}" cfg_STACK_QUICK_CHECKS=no
  if can_check_quickly; then cfg_STACK_QUICK_CHECKS=yes; fi
  write_pages
  write_record
}

# Writes the record, readable by its owner alone: it contains the token.
write_record() {
  local key name
  mkdir -p "$records"
  (
    umask 077
    for key in $known_keys STACK_SETTINGS STACK_SHELL STACK_GRAFANA STACK_OFFLINE STACK_COMPOSE STACK_QUICK_CHECKS; do
      name=cfg_$key
      [ "${!name+set}" != set ] || printf "%s='%s'\n" "$key" "${!name}"
    done >"$record.new"
  )
  mv "$record.new" "$record"
}

# Of a stopped stack with data the record retains project and settings file.
forget_start() {
  [ -n "$record" ] || return 0
  if [ -z "$(remaining volume)" ]; then
    rm -rf "$record" "${record%.env}"
    rmdir "$records" 2>/dev/null || true
    return
  fi
  case " $cfg_STACK_SHELL " in *' COMPOSE_PROJECT_NAME '*) cfg_STACK_SHELL=COMPOSE_PROJECT_NAME ;; *) cfg_STACK_SHELL='' ;; esac
  cfg_STACK_GRAFANA=no cfg_STACK_OFFLINE=no cfg_STACK_COMPOSE='' cfg_STACK_QUICK_CHECKS=no
  write_record
}

# Copies of the files that contain addresses for browsers, with those of this stack.
write_pages() {
  local directory=${record%.env}
  mkdir -p "$directory/boards"
  sed "s,http://127\.0\.0\.1:16680,$cfg_PAGE_URL,g" "$here/../jaeger/ui.json" >"$directory/ui.json"
  sed "s,http://127\.0\.0\.1:16686,$cfg_JAEGER_URL,g" "$here/../otel/grafana/boards/mesh.json" >"$directory/boards/mesh.json"
  # The containers run as other users.
  chmod 755 "$records" "$directory" "$directory/boards"
  chmod 644 "$directory/ui.json" "$directory/boards/mesh.json"
}
