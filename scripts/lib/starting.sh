# shellcheck shell=bash
# Starting the components of a stack one by one, each only when it is needed, and waiting until it is there. For scripts
# that have sourced stack.sh and processes.sh. Sourced, never run.

DEADLINE_S=30
STARTED= # the pid that was started last
LOG_BEGAN_AT=0 # how much was in its log before

# begin COMPONENT FINGERPRINT: status 0 when it is to be started, having stopped what ran with other settings.
begin() {
  if is_running "$1"; then
    [ "$(cat "$RUN_DIR/$1.started" 2>/dev/null)" != "$2" ] || return 1
    say "$1: its configuration has changed, restarting it"
  else
    say "$1: starting"
  fi
  stop_process "$1" TERM || true
}

# await COMPONENT LOG COMMAND...: polls until the command succeeds; shows the log when the component gave up.
await() {
  local component=$1 log=$2 deadline=$((SECONDS + DEADLINE_S))
  shift 2
  until "$@"; do # not redirected here: an interrupt in the middle has something to say
    kill -0 "$STARTED" 2>/dev/null || fail_with_log "$component stopped while starting" "$log"
    [ $SECONDS -lt $deadline ] || fail_with_log "$component is not ready after $DEADLINE_S s" "$log"
    sleep 0.05
  done
}

# answers URL [CURL OPTION...]: with a 2xx, soon, whatever proxy or ~/.curlrc the caller has.
answers() {
  curl -q -sf -o /dev/null -m 2 --noproxy '*' "$@"
}

fail_with_log() {
  local problem
  problem=$(tail -c "+$((LOG_BEGAN_AT + 1))" "$2" 2>/dev/null | grep -o 'ConfigError: [^"\\]*' | tail -n 1 || true)
  [ -z "$problem" ] || fail 2 "$1: ${problem#ConfigError: }"
  tail -n 5 "$2" 2>/dev/null | cut -c -400 | sed 's/^/  /' >&2
  fail 1 "$1; its log is $2"
}

redis_answers() {
  redis-cli -s "$REDIS_SOCKET" ping 2>/dev/null | grep -q PONG
}
