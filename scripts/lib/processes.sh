# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by the scripts
# Starting, recognising and stopping the processes of one stack by their pid files. Sourced, never run.
# Each component is a session of its own (setsid), so the session finds even the orphans of a killed master.

# What a component's command line always mentions: a pid that was reused by a stranger does not.
marker_of() {
  case $1 in
    nginx) echo "$RUN_DIR/nginx/nginx.conf" ;;
    *) echo "$RUN_DIR/$1.sock" ;;
  esac
}

recorded_pid() {
  local pid=
  if [ -s "$RUN_DIR/$1.pid" ]; then read -r pid <"$RUN_DIR/$1.pid" || true; fi
  [[ $pid =~ ^[1-9][0-9]*$ ]] && echo "$pid"
}

# is_of COMPONENT PID: the process belongs to this RUN_DIR and not to a neighbour whose path only ends alike.
is_of() {
  local command_line
  command_line=$({ tr '\0' ' ' <"/proc/$2/cmdline"; } 2>/dev/null) || return 1
  [[ " $command_line" == *[\ :=]"$(marker_of "$1")"* ]]
}

is_running() {
  local pid
  pid=$(recorded_pid "$1") && is_of "$1" "$pid"
}

# session_members SID: the living processes of a session, one pid a line.
session_members() {
  local stat line fields
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    read -ra fields <<<"${line##*) }" # state ppid pgrp session; the name before may hold anything
    if [ "${fields[3]}" = "$1" ] && [ "${fields[0]}" != Z ]; then
      stat=${stat#/proc/} && echo "${stat%/stat}"
    fi
  done
}

# processes_of COMPONENT: all its processes, the master's orphans too. nginx workers hide their command line;
# the session tells: its number is not given away while a member lives.
processes_of() {
  local sid pid name
  sid=$(recorded_pid "$1") || return 0
  for pid in $(session_members "$sid"); do
    { read -r name <"/proc/$pid/comm"; } 2>/dev/null || continue
    if is_of "$1" "$pid" || { [ "$1" = nginx ] && [ "$name" = nginx ]; }; then echo "$pid"; fi
  done
}

# start_process COMPONENT LOG COMMAND...: in the background, away from the terminal's Ctrl-C, without our locks. The
# process writes its own pid before it becomes the command, so that an interrupted `up` leaves nothing unrecorded.
# STARTED becomes that pid, LOG_BEGAN_AT the log's length until now.
start_process() {
  local component=$1 log=$2
  shift 2
  LOG_BEGAN_AT=$(stat -c %s "$log" 2>/dev/null || echo 0)
  # shellcheck disable=SC2016 # for the inner shell
  setsid sh -c 'echo $$ >"$0" && exec "$@"' "$RUN_DIR/$component.pid" "$@" </dev/null >>"$log" 2>&1 8<&- 9>&- &
  STARTED=$!
}

# stop_process COMPONENT SIGNAL: gracefully, then by force after 10 s; status 1 when there was nothing to stop.
stop_process() {
  local pids patience_s=10
  pids=$(processes_of "$1")
  if is_running "$1"; then
    signal "$2" "$(recorded_pid "$1")" # it stops its workers in order
  else
    signal TERM "$pids" # orphans of a master that was killed: nobody is left to wait for
    patience_s=1
  fi
  if ! await_end "$1" $patience_s; then
    say "$1 did not stop in $patience_s s: killed"
    signal KILL "$(processes_of "$1")"
    await_end "$1" 10 || fail 1 "$1 cannot be killed: processes $(processes_of "$1" | xargs)"
  fi
  rm -f "$RUN_DIR/$1.pid" "$RUN_DIR/$1.started"
  [ -n "$pids" ]
}

# await_end COMPONENT SECONDS: status 0 as soon as it has no process left.
await_end() {
  local deadline=$((SECONDS + $2))
  while [ -n "$(processes_of "$1")" ]; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}

signal() {
  # shellcheck disable=SC2086 # a list of pids
  kill -"$1" $2 2>/dev/null || true
}

# listening ADDRESS PORT: the socket inodes that keep ADDRESS:PORT from being bound, from /proc/net.
listening() {
  local octets address=0 port
  IFS=. read -ra octets <<<"$1"
  if [ "$1" != 0.0.0.0 ]; then # the kernel prints an address in the machine's byte order
    address=$(printf '%02X%02X%02X%02X' "${octets[3]}" "${octets[2]}" "${octets[1]}" "${octets[0]}")
  fi
  port=$(printf '%04X' "$2")
  awk -v address="$address" -v port="$port" '$4 == "0A" {
    split($2, local, ":")
    if (local[2] == port && (address == "0" || local[1] == address || local[1] ~ /^0+$/)) print $10
  }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# holders INODE PID...: which of these processes (all, when none is named) have the socket open.
holders() {
  local inode=$1 folder
  shift
  local folders=("${@/#//proc/}")
  [ $# -gt 0 ] || folders=(/proc/[0-9]*)
  for folder in "${folders[@]}"; do
    if find "$folder/fd" -lname "socket:\[$inode\]" 2>/dev/null | grep -q .; then echo "${folder#/proc/}"; fi
  done
}

# check_port_is_free ADDRESS PORT: one line and out when it is held by anything but our own nginx.
check_port_is_free() {
  local inode pids pid holder=
  for inode in $(listening "$1" "$2"); do
    mapfile -t pids < <(processes_of nginx)
    if [ ${#pids[@]} -gt 0 ] && [ -n "$(holders "$inode" "${pids[@]}")" ]; then continue; fi
    pid=$(holders "$inode" | head -n 1)
    if [ -n "$pid" ]; then holder=" by $(cat "/proc/$pid/comm" 2>/dev/null) (pid $pid)"; fi
    fail 1 "port $2 is taken$holder: free it, or choose another one with $3=…"
  done
}
