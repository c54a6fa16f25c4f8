# shellcheck shell=bash
# shellcheck disable=SC2034  # JSON and LITERAL are read by the scripts
# JSON, read and written in the shell alone (RFC 8259).
#
# While it is read, \\ and \" stand as the bytes 1 and 2, which valid JSON text cannot hold: then
# every " that is left is a string's edge, and cutting at " gives strings at the odd places.

ESCAPED_BACKSLASH=$'\x01'
ESCAPED_QUOTE=$'\x02'

# json_cut TEXT: fill PIECES, structure at the even places and strings at the odd ones.
json_cut() {
  local text=${1//\\\\/$ESCAPED_BACKSLASH} IFS='"'
  # shellcheck disable=SC2206  # the splitting is meant; a here-string could reach the disk
  PIECES=(${text//\\\"/$ESCAPED_QUOTE})
}

# json_row TEXT: fill ROW with the members of a flat array; null becomes an empty string. Strings
# keep their escapes, for text_of or json_of.
json_row() {
  local piece word is_string=
  ROW=()
  json_cut "$1"
  for piece in "${PIECES[@]}"; do
    if [[ -n $is_string ]]; then
      ROW+=("$piece") is_string=
      continue
    fi
    is_string=1
    [[ $piece == *[0-9n]* ]] || continue
    for word in ${piece//[],[]/ }; do ROW+=("${word/#null/}"); done
  done
}

# text_of STRING: TEXT becomes a cut string as a person reads it. Control characters stay escaped,
# so that nothing in Redis plays tricks on a terminal.
text_of() {
  TEXT=$1
  [[ $1 == *[!\ -~]* ]] || return 0
  TEXT=${1//$ESCAPED_QUOTE/\"}
  TEXT=${TEXT//$ESCAPED_BACKSLASH/\\}
  keep_utf8
}

# json_of STRING: TEXT becomes a cut string as JSON, with its quotes.
json_of() {
  TEXT=\"$1\"
  [[ $1 == *[!\ -~]* ]] || return 0
  TEXT=${1//$ESCAPED_QUOTE/\\\"}
  TEXT=\"${TEXT//$ESCAPED_BACKSLASH/\\\\}\"
  keep_utf8
}

# What is not UTF-8, or is a control character beyond ASCII, loses what is not ASCII.
keep_utf8() {
  [[ $TEXT != *[!\ -~]* ]] || is_plain_text "${#TEXT}" "$TEXT" || TEXT=${TEXT//[!\ -~]/?}
}

# json_number TEXT: TEXT becomes a number that is not negative, or null.
json_number() {
  TEXT=null
  [[ ! $1 =~ ^(0|[1-9][0-9]*)(\.[0-9]+)?$ ]] || TEXT=$1
}

# json_string PLAIN: TEXT becomes it, in UTF-8, as a JSON string.
json_string() {
  local code char escape
  TEXT=${1//\\/\\\\}
  TEXT=${TEXT//\"/\\\"}
  for ((code = 1; code < 32; code++)); do
    [[ $TEXT == *[[:cntrl:]]* ]] || break
    printf -v escape '\\u%04x' "$code"
    printf -v char '%b' "\\x${escape:4}"
    TEXT=${TEXT//"$char"/"$escape"}
  done
  TEXT=\"$TEXT\"
}

# json_members TEXT: fill JSON with every string in an object by its path, as in JSON[checks.0.check],
# and LITERAL with every number, true, false and null. Return 1 for what is not an object; of text
# that is broken within, the members that make sense.
json_members() {
  local i depth=0 is_name=
  local -a kinds=() names=()
  declare -gA JSON=() LITERAL=()
  [[ $1 =~ ^[[:space:]]*\{.*\}[[:space:]]*$ ]] || return 1
  json_cut "$1"
  for ((i = 0; i < ${#PIECES[@]}; i++)); do
    if ((i % 2 == 0)); then
      json_structure "${PIECES[i]}" || return 1
    elif [[ -n $is_name ]]; then
      text_of "${PIECES[i]}"
      names[depth]=$TEXT
    else
      text_of "${PIECES[i]}"
      json_path
      [[ -z $JSON_PATH ]] || JSON[$JSON_PATH]=${TEXT//\\\//\/}
    fi
  done
  ((depth == 0))
}

# json_structure TEXT: what stands between two strings. A part of json_members, on its variables.
json_structure() {
  local word rest=$1
  while [[ $rest =~ ^[[:space:]]*([][{},:]|[^][{},:[:space:]]+)(.*)$ ]]; do
    word=${BASH_REMATCH[1]} rest=${BASH_REMATCH[2]}
    case $word in
      '{' | '[')
        depth=$((depth + 1)) kinds[depth]=$word names[depth]=0
        is_name=${word#[}
        ;;
      '}' | ']') depth=$((depth - 1)) is_name= ;;
      ,) if [[ ${kinds[depth]-} == '{' ]]; then is_name=1; else names[depth]=$((names[depth] + 1)); fi ;;
      :) is_name= ;;
      *)
        json_path
        [[ -z $JSON_PATH ]] || LITERAL[$JSON_PATH]=$word
        ;;
    esac
    ((depth >= 0)) || return 1
  done
}

# json_path: JSON_PATH becomes where json_members is.
json_path() {
  local IFS=.
  # shellcheck disable=SC2154  # names and depth belong to json_members
  JSON_PATH=${names[*]:0:depth}
}
