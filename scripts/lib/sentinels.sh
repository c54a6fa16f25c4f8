# shellcheck shell=bash
# The Redis that sentinels name as the primary. Part of redis.sh.

# redis_at_sentinels sentinel[s]://[USER[:PASSWORD]@]HOST:PORT[,HOST:PORT]...[/SERVICE[/DB]][?sentinel_user=U&sentinel_password=P]
redis_at_sentinels() {
  local form='^(([^@/?]*)@)?([^@/?]+)/([A-Za-z0-9._-]+)(/([0-9]+))?([?](.*))?$' credentials hosts service db query
  [[ ${1#*://} =~ $form ]] || refuse "REDIS_URL must be sentinel://[user:password@]host:port,host:port/SERVICE[/DB]"
  credentials=${BASH_REMATCH[2]} hosts=${BASH_REMATCH[3]} service=${BASH_REMATCH[4]}
  db=${BASH_REMATCH[6]} query=${BASH_REMATCH[8]}
  [[ $1 != sentinels://* ]] || redis_query rediss "$query"
  find_primary "$hosts" "$service" "$query"
  [[ -z $credentials ]] || redis_as "$credentials"
  redis_at_host "$PRIMARY"
  [[ -z $db ]] || REDIS_CLI+=(-n "$db")
}

# find_primary HOSTS SERVICE QUERY: PRIMARY becomes the host:port that the sentinel names which knows of the latest
# failover.
find_primary() {
  local latest=-1 host pair user='' password=''
  local -a command=("${REDIS_CLI[@]}") hosts pairs
  IFS=, read -ra hosts <<<"$1"
  IFS='&' read -ra pairs <<<"$3"
  for pair in ${pairs[@]+"${pairs[@]}"}; do
    percent_decoded "${pair#*=}"
    case $pair in
      sentinel_user=*) user=$TEXT ;;
      sentinel_password=*) password=$TEXT ;;
    esac
  done
  PRIMARY=
  for host in "${hosts[@]}"; do
    REDIS_CLI=("${command[@]}" ${user:+--user "$user"})
    [[ $host =~ :[0-9]+$ ]] || host+=:26379
    redis_at_host "$host"
    ask_sentinel "$password" "$2" || continue
    read_sentinel
    ((EPOCH <= latest)) || { latest=$EPOCH PRIMARY=$ADDRESS; }
  done
  REDIS_CLI=("${command[@]}")
  ANSWER=${ANSWER%%$'\n'*}
  [[ -n $PRIMARY ]] || fail "no sentinel names a primary for $2: ${ANSWER:-no answer}"
}

# ask_sentinel PASSWORD SERVICE: ANSWER becomes what it knows of the service; return 1 when it does not.
ask_sentinel() {
  [[ -z $1 ]] || local -x REDISCLI_AUTH=$1
  ANSWER=$(redis_cli 2 -e SENTINEL MASTER "$2" 2>&1)
}

# read_sentinel: ADDRESS and EPOCH from ANSWER, a flat list of names and values.
read_sentinel() {
  local i ip='' port=''
  EPOCH=-1
  json_row "$ANSWER"
  for ((i = 0; i + 1 < ${#ROW[@]}; i += 2)); do
    case ${ROW[i]} in
      ip) ip=${ROW[i + 1]} ;;
      port) port=${ROW[i + 1]} ;;
      config-epoch) EPOCH=${ROW[i + 1]} ;;
    esac
  done
  [[ $ip != *:* ]] || ip=[$ip]
  ADDRESS=$ip:$port
}
