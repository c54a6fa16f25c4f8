# shellcheck shell=bash
# shellcheck disable=SC2034  # the answer is read by the scripts
# One POST of a form, with curl. What is secret goes through a pipe, never an argument.

# form_of NAME VALUE...: FORM becomes application/x-www-form-urlencoded.
form_of() {
  local i char value
  FORM=
  while (($#)); do
    FORM+=${FORM:+&}$1=
    value=$2
    shift 2
    for ((i = 0; i < ${#value}; i++)); do
      char=${value:i:1}
      [[ $char == [A-Za-z0-9._~-] ]] || printf -v char '%%%02X' "'$char"
      FORM+=$char
    done
  done
}

# http_post URL: send FORM. HTTP_STATUS and HTTP_BODY become the answer; fail when there is none.
http_post() {
  local status=0
  command -v curl >/dev/null || fail "curl is not installed, which this verb needs"
  [[ $1 =~ ^https?://[^[:cntrl:][:space:]]+$ ]] || refuse "$(quoted "$1") is not an http URL"
  HTTP_BODY=$(printf %s "$FORM" | curl -q -gsS --proto '=http,https' --max-time 15 \
    --data-binary @- -w '\n%{http_code}' --url "$1" 2>&1) || status=$?
  ((status == 0)) || fail "no answer from $1: ${HTTP_BODY%%$'\n'*}"
  HTTP_STATUS=${HTTP_BODY##*$'\n'}
  HTTP_BODY=${HTTP_BODY%$'\n'*}
}

# http_expect_ok URL: read the answer into JSON and LITERAL; fail with the server's error unless it
# is a 200.
http_expect_ok() {
  json_members "$HTTP_BODY" || JSON=() LITERAL=()
  [[ $HTTP_STATUS != 200 ]] || return 0
  local error=${JSON[error]-}
  fail "$1 answered $HTTP_STATUS${error:+ $error}${JSON[error_description]:+: ${JSON[error_description]}}"
}
