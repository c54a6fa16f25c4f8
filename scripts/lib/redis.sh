# shellcheck shell=bash
# shellcheck disable=SC2034  # NOW and EXIT_STATUS are read by the scripts
# Redis, through redis-cli. The command line is built here and nowhere else.
#
# REDIS_URL (redis://, rediss://, unix://, sentinel://, cluster://) or REDIS_SOCKET says where, else $RUN_DIR/demo.env.
# A password travels in the environment of redis-cli, never among its arguments.

LUA_DIR=$ROOT/redis
REDIS_CLI=()
REDIS_PLACE=
# Start-up nodes of a cluster: any of them leads to the others.
REDIS_NODES=()

# redis_find: fill REDIS_CLI and REDIS_PLACE; return 1 when nothing says where Redis is.
redis_find() {
  if [[ -n ${REDIS_URL-} ]]; then
    VALUE=$REDIS_URL
  elif [[ -n ${REDIS_SOCKET-} ]]; then
    VALUE=unix-socket:$REDIS_SOCKET
  elif ! find_setting REDIS_URL demo.env; then
    find_setting REDIS_SOCKET demo.env || return 1
    VALUE=unix-socket:$VALUE
  fi
  local cli=redis-cli
  command -v redis-cli >/dev/null || cli=valkey-cli
  command -v "$cli" >/dev/null || fail "redis-cli is not installed (Debian package redis-tools)"
  REDIS_CLI=("$cli" -2 --json)
  [[ ${REDIS_CLUSTER-} != 1 ]] || REDIS_CLI+=(-c)
  case $VALUE in
    unix-socket:*) redis_at_socket "${VALUE#*:}" ;;
    redis://* | rediss://* | unix://*) redis_at_url "$VALUE" ;;
    cluster://*) redis_at_cluster "${VALUE#*://}" ;;
    sentinel://* | sentinels://*) redis_at_sentinels "$VALUE" ;;
    *) refuse "REDIS_URL must begin with redis://, rediss://, unix://, sentinel:// or cluster://" ;;
  esac
}

redis_at_socket() {
  [[ -n $1 ]] || refuse "REDIS_URL names no socket"
  REDIS_CLI+=(-s "$1")
  REDIS_PLACE=$1
}

# redis_at_url SCHEME://[USER[:PASSWORD]@]HOST[:PORT][/DB][?db=N&ssl_...=...]
redis_at_url() {
  local scheme=${1%%://*} rest=${1#*://} query='' path='' db=''
  [[ $rest != *\?* ]] || query=${rest#*\?}
  rest=${rest%%\?*}
  if [[ $rest == */* ]]; then
    path=/${rest#*/} rest=${rest%%/*}
    # A slash in a password would have to be written %2F; a lone @ after it tells that it was not.
    [[ $path != *@* || $scheme == unix ]] || refuse "REDIS_URL has a / in its password: write %2F"
  fi
  [[ $rest != *@* ]] || redis_as "${rest%@*}"
  rest=${rest##*@}
  if [[ $scheme == unix ]]; then
    percent_decoded "$path"
    redis_at_socket "$TEXT"
  else
    redis_at_host "$rest"
    db=${path#/}
  fi
  redis_query "$scheme" "$query"
  db=${DB:-$db}
  [[ $db =~ ^[0-9]*$ ]] || refuse "REDIS_URL names a database that is not a number"
  [[ -z $db ]] || REDIS_CLI+=(-n "$db")
}

# redis_at_cluster [USER[:PASSWORD]@]HOST:PORT[,HOST:PORT]...
redis_at_cluster() {
  local rest=${1%/} node
  [[ $rest != *@* ]] || redis_as "${rest%@*}"
  IFS=, read -ra REDIS_NODES <<<"${rest##*@}"
  for node in ${REDIS_NODES[@]+"${REDIS_NODES[@]}"}; do
    [[ $node == ?*:?* ]] || refuse "REDIS_URL has no host:port"
  done
  [[ ${REDIS_CLUSTER-} == 1 ]] || REDIS_CLI+=(-c)
  REDIS_CLUSTER=1
  redis_at_host "${REDIS_NODES[0]-}"
}

redis_as() {
  percent_decoded "${1%%:*}"
  [[ -z $TEXT ]] || REDIS_CLI+=(--user "$TEXT")
  [[ $1 == *:* ]] || return 0
  percent_decoded "${1#*:}"
  [[ -z $TEXT ]] || export REDISCLI_AUTH=$TEXT
}

redis_at_host() {
  [[ $1 =~ ^(\[([0-9A-Fa-f:.]+)\]|[^]:[]*)(:([0-9]+))?$ ]] || refuse "REDIS_URL has no host:port"
  local host=${BASH_REMATCH[2]:-${BASH_REMATCH[1]:-localhost}} port=${BASH_REMATCH[4]:-6379}
  REDIS_CLI+=(-h "$host" -p "$port")
  REDIS_PLACE=$host:$port
}

# redis_query SCHEME QUERY: DB becomes the database it names; rediss:// takes redis-py's ssl_ names.
redis_query() {
  local pair
  local -a pairs
  DB=
  [[ $1 != rediss ]] || REDIS_CLI+=(--tls)
  IFS='&' read -ra pairs <<<"$2"
  for pair in ${pairs[@]+"${pairs[@]}"}; do
    percent_decoded "${pair#*=}"
    case $pair in
      db=*) DB=$TEXT ;;
      ssl_ca_certs=*) REDIS_CLI+=(--cacert "$TEXT") ;;
      ssl_certfile=*) REDIS_CLI+=(--cert "$TEXT") ;;
      ssl_keyfile=*) REDIS_CLI+=(--key "$TEXT") ;;
      ssl_cert_reqs=none) REDIS_CLI+=(--insecure) ;;
    esac
  done
}

# percent_decoded TEXT: TEXT becomes the decoded text.
percent_decoded() {
  local rest=$1 char
  TEXT=
  while [[ $rest =~ ^([^%]*)%([0-9A-Fa-f]{2})(.*)$ ]]; do
    printf -v char '%b' "\\x${BASH_REMATCH[2]}"
    TEXT+=${BASH_REMATCH[1]}$char
    rest=${BASH_REMATCH[3]}
  done
  TEXT+=$rest
}

# redis_cli SECONDS WORD...: run it with the time that it may take.
redis_cli() {
  timeout --foreground -k 1 "$1" "${REDIS_CLI[@]}" "${@:2}"
}

# redis_open: find Redis and make sure that it answers and lets us in, or fail.
redis_open() {
  local node
  settle_replicas
  redis_find || fail "no Redis to talk to: set REDIS_URL or REDIS_SOCKET, or start the stack ($RUN_DIR/demo.env names none)"
  redis_try PING && return
  for node in ${REDIS_NODES[@]+"${REDIS_NODES[@]:1}"}; do
    redis_at_host "$node" # what comes last counts
    redis_try PING && return
  done
  redis_fail
}

# find_primaries: fill PRIMARIES with -h HOST -p PORT of each node that owns slots; nothing to say for a single Redis.
find_primaries() {
  local node id place flags rest
  PRIMARIES=('')
  [[ ${REDIS_CLUSTER-} == 1 ]] || return 0
  PRIMARIES=()
  ANSWER=$(redis_cli 5 -e CLUSTER NODES 2>&1) || redis_fail
  while read -r id place flags rest; do
    [[ $flags == *master* && $flags != *fail* && $rest == *" connected "[0-9]* ]] || continue
    place=${place%%@*}
    PRIMARIES+=("-h ${place%:*} -p ${place##*:}")
  done <<<"$ANSWER"
}

# redis_try WORD...: run one command. ANSWER becomes its JSON; return 1 and ANSWER is the error.
redis_try() {
  local status=0
  note_change "$@"
  ANSWER=$(redis_cli 5 -e "$@" 2>&1) || status=$?
  case $status in
    # One reply is one line. A second one is a complaint of redis-cli's, which goes on as the
    # default user when a password is wrong.
    0) [[ $ANSWER != *$'\n'* && $ANSWER == [][0-9\"n-]* ]] ;;
    124 | 137) ANSWER="no answer within 5 s" && return 1 ;;
    *) return 1 ;;
  esac
}

# redis_ask WORD...: run one command, or fail.
redis_ask() {
  redis_try "$@" || redis_fail
}

redis_fail() {
  ANSWER=${ANSWER%%$'\n'*}
  fail "Redis at $REDIS_PLACE: ${ANSWER:-no answer}"
}

# redis_eval NAME KEY , ARGV...: run redis/NAME.lua. Like redis_try.
redis_eval() {
  local name=$1
  shift
  redis_try --eval "$LUA_DIR/$name.lua" "$@"
}

# redis_now: NOW becomes Redis's time in epoch seconds: one clock for every shell that ops type in.
redis_now() {
  redis_ask TIME
  json_row "$ANSWER"
  NOW=${ROW[0]}
}

# record EVENT [FIELD VALUE]...: write what has just been done into the audit stream. The change
# stands when this fails: so say it, end in 1, but go on and show the result.
record() {
  local who=${USER:-$(id -un)} longest
  is_plain_text 128 "$who" || who=${who//[^ -~]/?}
  find_setting AUDIT_MAX_ENTRIES app.env || VALUE=100000
  longest=$VALUE
  redis_try XADD audit MAXLEN '~' "$longest" '*' event "$1" who "ops:$who" "${@:2}" from cli && return
  complain "done, but the audit entry was not written: Redis at $REDIS_PLACE: ${ANSWER%%$'\n'*}"
  EXIT_STATUS=1
}
