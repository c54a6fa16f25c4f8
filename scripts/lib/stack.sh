# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is read by the scripts
# What scripts/up, scripts/down and scripts/install share: the settings of one stack. Sourced, never run.

export LC_ALL=C # [A-Z] means A to Z, and messages are the ones we know
PATH=$PATH:/usr/sbin:/sbin # an ordinary user's PATH has neither nginx nor update-rc.d

say() { printf '%s\n' "$*" >&2; }

# fail STATUS MESSAGE: one line on stderr; 2 is bad input, 1 is everything else.
fail() {
  local status=$1
  shift
  say "$*"
  exit "$status"
}

# take_no_arguments "$@": --help prints what stands at the head of the script; nothing else may be asked.
take_no_arguments() {
  [ $# -gt 0 ] || return 0
  case $1 in
    -h | --help) sed -n '2,/^[^#]/s/^# //p' "$0" && exit 0 ;;
    *) fail 2 "scripts/${0##*/}: unknown argument ${1@Q}: it takes none (make alone lists the settings)" ;;
  esac
}

# settle_settings: every setting gets its value and is checked; RUN_DIR becomes absolute.
settle_settings() {
  HTTP_ADDR=${HTTP_ADDR:-127.0.0.1} HTTP_PORT=${HTTP_PORT:-8080} OPS_PORT=${OPS_PORT:-9090}
  WORKERS=${WORKERS:-$(nproc)} ALG=${ALG:-ES256} APPENDFSYNC=${APPENDFSYNC:-everysec} REDIS_URL=${REDIS_URL:-}
  settle_run_dir
  check_port HTTP_PORT "$HTTP_PORT"
  check_port OPS_PORT "$OPS_PORT"
  [ "$HTTP_PORT" -ne "$OPS_PORT" ] || fail 2 "HTTP_PORT and OPS_PORT are both $HTTP_PORT: they must differ"
  [[ $WORKERS =~ ^[1-9][0-9]{0,2}$ ]] || fail 2 "WORKERS is '$WORKERS': a number from 1 to 999 is needed"
  check_address
  check_one_of ALG "$ALG" ES256 EdDSA RS256 HS256
  check_one_of APPENDFSYNC "$APPENDFSYNC" everysec always
  [[ -n $REDIS_URL || ${REPLICAS_TO_ACK:-0} == 0 ]] ||
    fail 2 "REPLICAS_TO_ACK needs a REDIS_URL: the Redis that make up starts has no replicas"
  [[ -z $REDIS_URL || $REDIS_URL =~ ^(redis|rediss|unix|sentinels?|cluster)://. ]] ||
    fail 2 "REDIS_URL is '${REDIS_URL%%:*}:…': redis://, rediss://, unix://, sentinel:// or cluster:// is needed"

  local host=$HTTP_ADDR
  [ "$host" != 0.0.0.0 ] || host=127.0.0.1
  BASE_URL=http://$host:$HTTP_PORT
  OPS_URL=http://127.0.0.1:$OPS_PORT
  ISSUER=${ISSUER:-$BASE_URL} KEYS_DIR=${KEYS_DIR:-$RUN_DIR/keys}
  export RUN_DIR WORKERS KEYS_DIR
}

# settle_run_dir: RUN_DIR is taken from the repository's root, and must be a path that a unix socket,
# nginx and Redis can all carry.
settle_run_dir() {
  RUN_DIR=${RUN_DIR:-run}
  [[ $RUN_DIR == /* ]] || RUN_DIR=$ROOT/$RUN_DIR
  RUN_DIR=$(realpath -m -- "$RUN_DIR")
  [[ $RUN_DIR =~ ^[A-Za-z0-9._/@+,-]+$ ]] ||
    fail 2 "RUN_DIR is '$RUN_DIR': only letters, digits and . _ / @ + , - are possible; choose another one"
  local longest=$RUN_DIR/redis.sock
  [ ${#longest} -le 107 ] ||
    fail 2 "RUN_DIR is ${#RUN_DIR} characters long: at most $((107 - 11)) fit, its sockets would not (sun_path)"
  [ "$RUN_DIR" != / ] || fail 2 "RUN_DIR is /: choose a folder of its own"
}

check_port() {
  [[ $2 =~ ^[1-9][0-9]{0,4}$ && $2 -le 65535 ]] || fail 2 "$1 is '$2': a port from 1 to 65535 is needed"
}

check_address() {
  local octet='(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
  [[ $HTTP_ADDR =~ ^$octet\.$octet\.$octet\.$octet$ ]] ||
    fail 2 "HTTP_ADDR is '$HTTP_ADDR': an IPv4 address is needed, such as 127.0.0.1 or 0.0.0.0"
}

check_one_of() {
  local name=$1 value=$2 possible
  shift 2
  for possible in "$@"; do
    [ "$value" != "$possible" ] || return 0
  done
  fail 2 "$name is '$value': one of $* is needed"
}

# claim_run_dir: makes RUN_DIR (0700), and takes the lock that makes `up` and `down` wait for each other.
# A folder with other things in it is refused: its mode must not change, nor must its files mix with ours.
claim_run_dir() {
  if [ -e "$RUN_DIR" ] && [ ! -e "$RUN_DIR/lock" ] && [ ! -e "$RUN_DIR/keys" ]; then
    [ -d "$RUN_DIR" ] || fail 2 "RUN_DIR $RUN_DIR is not a folder"
    [ -z "$(ls -A "$RUN_DIR")" ] || fail 2 "RUN_DIR $RUN_DIR has other things in it: choose an empty or a new folder"
  fi
  mkdir -p "$RUN_DIR/log" || fail 1 "RUN_DIR $RUN_DIR cannot be made"
  chmod 0700 "$RUN_DIR" "$RUN_DIR/log"
  lock_run_dir
}

lock_run_dir() {
  exec 9>"$RUN_DIR/lock"
  flock -n 9 && return
  say "another make up or make down is at work in $RUN_DIR: waiting for it"
  flock -w 300 9 || fail 1 "it is still at work after 300 s: giving up"
}
