# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154  # NOW, ROW and TEXT are set in redis.sh, json.sh and table.sh
# A client as Redis holds it: read, and shown without the hashes of its secrets.

CLIENT_FIELDS=(name status scopes audiences ttl_s rate_per_s secrets created_at updated_at)
declare -A CLIENT=() LAST_USED=()
# Five words per secret, newest first: id, state, not before, not after (0: no end), last used (0: never).
SECRETS=()

# client_take ID FIELDS USED: read the JSON answers to HMGET client:ID and HGETALL used:ID into
# CLIENT and SECRETS; return 1 when there is no such client.
client_take() {
  local i
  LAST_USED=()
  json_row "$3"
  for ((i = 0; i + 1 < ${#ROW[@]}; i += 2)); do
    LAST_USED[_${ROW[i]}]=${ROW[i + 1]}
  done
  json_cut "$2"
  if ((${#PIECES[@]} == 19)); then
    # All nine are strings, as they should be: ten thousand clients notice the shorter way.
    ROW=("${PIECES[1]}" "${PIECES[3]}" "${PIECES[5]}" "${PIECES[7]}" "${PIECES[9]}" "${PIECES[11]}"
      "${PIECES[13]}" "${PIECES[15]}" "${PIECES[17]}")
  else
    json_row "$2"
  fi
  [[ -n ${ROW[1]-} ]] || return 1
  CLIENT=([client_id]=$1)
  for ((i = 0; i < ${#CLIENT_FIELDS[@]}; i++)); do
    CLIENT[${CLIENT_FIELDS[i]}]=${ROW[i]-}
  done
  client_take_secrets
}

client_take_secrets() {
  local text=${CLIENT[secrets]//$ESCAPED_QUOTE/\"} IFS='}' entry member value id not_before not_after state
  SECRETS=()
  for entry in $text; do
    id='' not_before=0 not_after=0 state=live IFS=,
    for member in $entry; do
      # Another writer may have laid it out over lines.
      value=${member##*:} value=${value//[\" ]/} value=${value//\\n/}
      case $member in
        *\"id\":*) id=$value ;;
        *\"not_before_s\":*) not_before=$value ;;
        *\"not_after_s\":*) not_after=$value ;;
      esac
    done
    [[ $id =~ ^[0-9a-f]{8}$ && $not_before$not_after =~ ^[0-9]{2,24}$ ]] || continue
    ((10#$not_before <= NOW)) || state=future
    ((10#$not_after == 0 || NOW < 10#$not_after)) || state=ended
    SECRETS+=("$id" "$state" "$((10#$not_before))" "$((10#$not_after))" "${LAST_USED[_$id]:-0}")
  done
}

# client_json: CLIENT_JSON becomes the client as a JSON object.
client_json() {
  local field i
  CLIENT_JSON=
  for field in client_id name status scopes audiences; do
    json_of "${CLIENT[$field]}"
    CLIENT_JSON+="\"$field\":$TEXT,"
  done
  for field in ttl_s rate_per_s created_at updated_at; do
    json_number "${CLIENT[$field]}"
    CLIENT_JSON+="\"$field\":$TEXT,"
  done
  CLIENT_JSON+='"secrets":['
  for ((i = 0; i < ${#SECRETS[@]}; i += 5)); do
    CLIENT_JSON+="{\"id\":\"${SECRETS[i]}\",\"state\":\"${SECRETS[i + 1]}\","
    CLIENT_JSON+="\"not_before_s\":${SECRETS[i + 2]},\"not_after_s\":"
    json_number "${SECRETS[i + 3]/#0/none}"
    CLIENT_JSON+="$TEXT,\"last_used_s\":"
    json_number "${SECRETS[i + 4]/#0/none}"
    CLIENT_JSON+="$TEXT},"
  done
  CLIENT_JSON="{${CLIENT_JSON%,}]}"
}

# client_show NOT_BEFORE_S: print the client for a person.
client_show() {
  local field i cells
  table_row client_id "${CLIENT[client_id]}"
  for field in name status scopes audiences ttl_s rate_per_s; do
    text_of "${CLIENT[$field]}"
    table_row "$field" "${TEXT:--}"
  done
  for field in created_at updated_at; do
    time_of "${CLIENT[$field]}"
    table_row "${field%_at}" "$TEXT"
  done
  how_rows
  if [[ $1 != null ]]; then
    time_of "$1"
    table_row revoked "every token issued up to $TEXT"
  fi
  table_print
  printf '\n'
  table_row SECRET STATE 'GOOD FROM' 'GOOD UNTIL' 'LAST USED'
  for ((i = 0; i < ${#SECRETS[@]}; i += 5)); do
    cells=("${SECRETS[i]}" "${SECRETS[i + 1]}")
    for field in "${SECRETS[@]:i + 2:3}"; do
      time_of "$field"
      cells+=("$TEXT")
    done
    table_row "${cells[@]}"
  done
  table_print
}

# client_row: add the client to a table of clients.
client_row() {
  local i field live=0 used_s=0 until_s=0 cells=()
  for ((i = 0; i < ${#SECRETS[@]}; i += 5)); do
    [[ ${SECRETS[i + 1]} != live ]] || live=$((live + 1))
    [[ ${SECRETS[i + 1]} != live || ${SECRETS[i + 3]} == 0 ]] || until_s=${SECRETS[i + 3]}
    [[ ! ${SECRETS[i + 4]} =~ ^[1-9][0-9]{0,11}$ ]] || ((SECRETS[i + 4] <= used_s)) || used_s=${SECRETS[i + 4]}
  done
  time_of "$until_s"
  ((until_s == 0)) || live+=" (one until $TEXT)"
  text_of "${CLIENT[status]}"
  cells=("${CLIENT[client_id]}" "$TEXT" "$live")
  time_of "$used_s" never
  cells+=("$TEXT")
  for field in ttl_s rate_per_s name audiences scopes; do
    text_of "${CLIENT[$field]}"
    cells+=("${TEXT:--}")
  done
  table_row "${cells[@]}"
}

# find_client_ids: fill IDS, sorted, by SCAN: a KEYS would hold up every request.
find_client_ids() {
  local keys='' key primary
  IDS=()
  find_primaries
  for primary in "${PRIMARIES[@]}"; do
    # shellcheck disable=SC2086 # several words
    ANSWER=$(redis_cli 120 $primary --no-raw --scan --pattern 'client:*' 2>&1) || redis_fail
    keys+=$ANSWER$'\n'
  done
  keys=$(printf '%s' "$keys" | sort -u)
  local IFS=$'\n'
  for key in $keys; do
    # A key that no script made, and that no request can name, is not a client.
    [[ $key == \"client:*\" ]] || continue
    key=${key#\"client:}
    if is_client_id "${key%\"}"; then IDS+=("${key%\"}"); fi
  done
}

# list_clients: fill the table, and LISTED_JSON, with every client: all are asked for through one
# redis-cli, so that ten thousand take seconds.
list_clients() {
  local i line questions=''
  local -a lines=() answers=()
  LISTED_JSON=
  find_client_ids
  for ((i = 0; i < ${#IDS[@]}; i++)); do
    questions+="HMGET client:${IDS[i]} ${CLIENT_FIELDS[*]}"$'\n'"HGETALL used:${IDS[i]}"$'\n'
  done
  mapfile -t lines < <(printf %s "$questions" | redis_cli 120 2>&1)
  ANSWER="${lines[0]:-no answer}"
  wait $! || redis_fail
  # In a cluster, redis-cli tells at each step where it goes.
  for line in "${lines[@]}"; do
    [[ $line == '-> Redirected to slot '* ]] || answers+=("$line")
  done
  # Not the answers themselves: they hold hashes.
  ANSWER="gave ${#answers[@]} answers to $((2 * ${#IDS[@]})) questions"
  ((${#answers[@]} == 2 * ${#IDS[@]})) || redis_fail
  table_row CLIENT STATUS 'LIVE SECRETS' 'LAST USED' TTL_S RATE_PER_S NAME AUDIENCES SCOPES
  for ((i = 0; i < ${#IDS[@]}; i++)); do
    list_client "${IDS[i]}" "${answers[2 * i]}" "${answers[2 * i + 1]}"
  done
}

# list_client ID FIELDS USED
list_client() {
  if [[ $2 == error:\"WRONGTYPE* || $3 == error:\"WRONGTYPE* ]]; then
    complain "left out client:$1 or used:$1, which is not a hash"
    return
  fi
  # Of the two, only what is an error may be shown: the other has hashes.
  for ANSWER in "$2" "$3"; do
    [[ $ANSWER == \[* ]] || redis_fail
  done
  # Deleted between the two questions: not there is right.
  client_take "$1" "$2" "$3" || return 0
  if [[ -n ${FLAG[json]-} ]]; then
    client_json
    LISTED_JSON+=$CLIENT_JSON,
  else
    client_row
  fi
}
