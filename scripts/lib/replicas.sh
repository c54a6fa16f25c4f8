# shellcheck shell=bash
# How many replicas must have a change: REPLICAS_TO_ACK (0) within REPLICAS_ACK_TIMEOUT_MS (100), as for the app. Part of
# redis.sh.

NEEDED=0
# What has been changed by this script.
CHANGED_KEYS=()

# settle_replicas: fill NEEDED and ACK_MS, or refuse.
settle_replicas() {
  find_setting REPLICAS_TO_ACK app.env || VALUE=0
  NEEDED=$VALUE
  find_setting REPLICAS_ACK_TIMEOUT_MS app.env || VALUE=100
  ACK_MS=$VALUE
  [[ $NEEDED =~ ^(0|[1-9][0-9]?)$ ]] || refuse "REPLICAS_TO_ACK is not a number from 0 to 99"
  [[ $ACK_MS =~ ^[1-9][0-9]{0,3}$ ]] || refuse "REPLICAS_ACK_TIMEOUT_MS is not a number from 1 to 9999"
}

# note_change WORD...: remember which key a command changes.
note_change() {
  case $1 in
    SET | DEL | HSET | HDEL) CHANGED_KEYS+=("$2") ;;
    --eval) CHANGED_KEYS+=("$3") ;;
  esac
}

# await_replicas: wait until enough replicas have what has been changed, or was already so: whoever made it may have been
# told that it can be lost. The change stands when they do not, and its result is shown: so say it, and end in 1.
await_replicas() {
  local key
  ((NEEDED > 0)) || return 0
  for key in ${CHANGED_KEYS[@]+"${CHANGED_KEYS[@]}"}; do
    await_key "$key" && continue
    complain "done, but it may yet be lost with the primary: Redis at $REDIS_PLACE: ${ANSWER:-no answer}"
    EXIT_STATUS=1
    return 0
  done
}

# await_key KEY: WAIT counts from the last write of its own connection, and this is another one than that of the change: so
# it makes a mark first, in the key's slot of a cluster. Return 1 when too few replicas have it, and ANSWER is why.
await_key() {
  local line is_marked='' having=''
  ANSWER=
  while IFS= read -r line; do
    case $line in
      '-> Redirected to slot '*) ;; # in a cluster, redis-cli tells at each step where it goes
      OK | '"OK"') is_marked=1 ;;
      *[!0-9]*) ANSWER=${ANSWER:-$line} ;;
      *) having=$line ;;
    esac
  done < <(printf 'SET "wait:{%s}" 1 EX 1\nWAIT %s %s\n' "$1" "$NEEDED" "$ACK_MS" | redis_cli 15 -e 2>&1)
  [[ -z $ANSWER && -n $is_marked && -n $having ]] || return 1
  ANSWER="$having of $NEEDED replicas have it"
  ((having >= NEEDED))
}
