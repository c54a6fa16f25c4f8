# shellcheck shell=bash
# shellcheck disable=SC2034  # the constants and WORDS are read by the scripts
# What may be stored: each check refuses in one line, before anything has changed.

LONGEST_LIFETIME_S=86400
LONGEST_LEEWAY_S=60

# A whole UTF-8 text without control characters, C1 and U+2028 of Unicode among them.
UTF8_CHARACTER=$'[\x20-\x7e]|\xc2[\xa0-\xbf]|[\xc3-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]'
UTF8_CHARACTER+=$'|\xe2\x80[\x80-\xa7\xb0-\xbf]|\xe2[\x81-\xbf][\x80-\xbf]|[\xe1\xe3-\xec\xee\xef][\x80-\xbf]{2}'
UTF8_CHARACTER+=$'|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}'

# is_plain_text LONGEST TEXT: in bytes.
is_plain_text() {
  ((${#2} <= $1)) && [[ $2 =~ ^($UTF8_CHARACTER)*$ ]]
}

is_client_id() {
  [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]]
}

check_client_id() {
  is_client_id "$1" ||
    refuse "$(quoted "$1") is not a client id: 1 to 64 of A-Z a-z 0-9 . _ - with a letter or digit first"
}

check_name() {
  is_plain_text 128 "$1" || refuse "the name must be at most 128 bytes of UTF-8 without control characters"
}

# check_words WHAT LONGEST TEXT: WORDS becomes TEXT's words once each, single-spaced (RFC 6749 §3.3).
check_words() {
  local word words
  [[ $3 != *[!\ -~]* && $3 != *[\"\\]* ]] ||
    refuse "$1 must be printable ASCII without quotes or backslashes, not $(quoted "$3")"
  WORDS=
  read -ra words <<<"$3"
  for word in ${words[@]+"${words[@]}"}; do
    [[ " $WORDS " == *" $word "* ]] || WORDS+=${WORDS:+ }$word
  done
  ((${#WORDS} <= $2)) || refuse "$1 are longer than $2 characters together"
}

check_scopes() {
  check_words scopes 2048 "$1"
}

# check_number WHAT LOW HIGH TEXT
check_number() {
  [[ $4 =~ ^(0|[1-9][0-9]{0,9})$ && $4 -ge $2 && $4 -le $3 ]] ||
    refuse "$1 must be a whole number from $2 to $3, not $(quoted "$4")"
}

HTTP_METHODS="GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT QUERY PURGE ACL BIND CHECKIN
 CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE
 ORDERPATCH PROPFIND PROPPATCH REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE
 UPDATEREDIRECTREF "

check_method() {
  [[ $1 =~ ^[A-Z]+$ && " ${HTTP_METHODS//$'\n'/} " == *" $1 "* ]] ||
    refuse "$(quoted "$1") is not a method that HTTP knows; write it in capitals, such as GET or POST"
}

# check_target PATH: TARGET becomes a request target as it travels (RFC 9112 §3.2.1).
check_target() {
  local i char
  [[ $1 == /* && $1 != *[[:space:][:cntrl:]]* ]] || refuse "$(quoted "$1") is not a path: it starts with / and has no space"
  TARGET=$1
  [[ $1 == *[!\ -~]* ]] || return 0
  TARGET=
  for ((i = 0; i < ${#1}; i++)); do
    char=${1:i:1}
    [[ $char == [\ -~] ]] || printf -v char '%%%02X' "'$char"
    TARGET+=$char
  done
}

# check_path PATH: a path as nginx matches it, decoded and normalised.
check_path() {
  local why=
  case $1 in
    [!/]* | '') why="starts with /" ;;
    *[[:space:]]*) why="has no space" ;;
    *\?*) why="ends before the query" ;;
    *//*) why="has no double slash: nginx merges them" ;;
    */./* | */../* | */. | */..) why="has no dot segment: nginx resolves them" ;;
    *%[0-9A-Fa-f][0-9A-Fa-f]*) why="has no percent escape: nginx decodes them first" ;;
  esac
  [[ -z $why ]] || refuse "$(quoted "$1") is not a path as nginx matches it: a path $why"
  is_plain_text 1024 "$1" ||
    refuse "the path must be at most 1024 bytes of UTF-8 without control characters"
}
