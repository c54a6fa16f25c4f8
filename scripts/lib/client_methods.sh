# shellcheck shell=bash
# shellcheck disable=SC2034  # PAIRS and HOW are read by scripts/client
# How a client authenticates, and what its tokens are bound to: read from flags, shown from Redis.

HOW_FLAGS="--auth-method= --jwks= --jwks-uri= --certificate= --tls-subject-dn= --tls-san-dns= --tls-san-uri="
HOW_FLAGS+=" --tls-san-ip= --tls-san-email= --certificate-bound= --dpop-bound="
METHOD_FIELDS=(token_endpoint_auth_method jwks jwks_uri tls_client_certificate_bound_access_tokens
  dpop_bound_access_tokens
  tls_client_auth_subject_dn tls_client_auth_san_dns tls_client_auth_san_uri tls_client_auth_san_ip
  tls_client_auth_san_email)
LONGEST_KEYS=16384

# read_how: PAIRS becomes the fields that the flags ask to change, each with its value.
read_how() {
  local name kind value='' given=()
  PAIRS=()
  if [[ -n ${FLAG[auth-method]+given} ]]; then
    [[ ${FLAG[auth-method]} != secret ]] || FLAG[auth-method]=
    PAIRS+=(token_endpoint_auth_method "${FLAG[auth-method]}")
  fi
  for name in jwks jwks-uri certificate; do
    [[ -z ${FLAG[$name]+given} ]] || given+=("$name")
  done
  ((${#given[@]} <= 1)) || refuse "--${given[0]} and --${given[1]} exclude each other"
  ((${#given[@]} == 0)) || read_keys "${given[0]}"
  given=()
  for kind in subject-dn san-dns san-uri san-ip san-email; do
    [[ -z ${FLAG[tls-$kind]+given} ]] || given+=("$kind")
  done
  ((${#given[@]} <= 1)) || refuse "--tls-${given[0]} and --tls-${given[1]} exclude each other"
  for kind in ${given[0]+subject_dn san_dns san_uri san_ip san_email}; do
    value=
    [[ $kind != "${given[0]//-/_}" ]] || value=${FLAG[tls-${given[0]}]}
    is_plain_text 512 "$value" || refuse "--tls-${given[0]} must be at most 512 bytes of UTF-8 without control characters"
    PAIRS+=("tls_client_auth_$kind" "$value")
  done
  [[ -z ${FLAG[certificate-bound]+given} ]] || read_flag_value certificate-bound tls_client_certificate_bound_access_tokens
  [[ -z ${FLAG[dpop-bound]+given} ]] || read_flag_value dpop-bound dpop_bound_access_tokens
}

# read_flag_value FLAG FIELD
read_flag_value() {
  [[ ${FLAG[$1]} == true || ${FLAG[$1]} == false ]] || refuse "--$1 must be true or false"
  PAIRS+=("$2" "${FLAG[$1]}")
}

# read_keys FLAG: the one that says where a client's public keys are.
read_keys() {
  local file=${FLAG[$1]} jwks='' uri=''
  case $1 in
    jwks-uri) uri=$file ;;
    jwks) jwks=$(head -c $((LONGEST_KEYS + 1)) -- "$file" 2>/dev/null | tr -d '\0') || refuse "cannot read $(quoted "$file")" ;;
    certificate) certificate_jwks "$file" && jwks=$TEXT ;;
  esac
  ((${#jwks} <= LONGEST_KEYS)) || refuse "$(quoted "$file") is longer than $LONGEST_KEYS bytes"
  # No string in JSON has a line break of its own.
  jwks=${jwks//[$'\n\r\t']/ }
  [[ $jwks$uri != *[!\ -~]* ]] || refuse "--$1 must be printable ASCII"
  PAIRS+=(jwks "$jwks" jwks_uri "$uri")
  [[ -n $jwks$uri ]] || refuse "--$1 is empty"
}

# certificate_jwks FILE: TEXT becomes a JWK set with the certificate in a PEM file, and no key: what
# self_signed_tls_client_auth looks at is the certificate.
certificate_jwks() {
  local der kind=RSA
  der=$(openssl x509 -in "$1" -outform DER 2>/dev/null | openssl base64 -A) || der=
  [[ -n $der ]] || refuse "$(quoted "$1") is not a certificate in PEM"
  [[ $(openssl x509 -in "$1" -noout -pubkey 2>/dev/null | openssl pkey -pubin -noout -text 2>/dev/null) == RSA* ]] || kind=EC
  TEXT="{\"keys\":[{\"kty\":\"$kind\",\"x5c\":[\"$der\"]}]}"
}

# take_how ID: HOW becomes what is set of METHOD_FIELDS, name after name and value after value, as
# Redis' JSON has them.
take_how() {
  local i
  HOW=()
  redis_ask HMGET "client:$1" "${METHOD_FIELDS[@]}"
  json_row "$ANSWER"
  for ((i = 0; i < ${#METHOD_FIELDS[@]}; i++)); do
    [[ -z ${ROW[i]-} ]] || HOW+=("${METHOD_FIELDS[i]}" "${ROW[i]}")
  done
}

# how_json: TEXT becomes the members of a JSON object, each with a comma before it.
how_json() {
  local i members=
  for ((i = 0; i < ${#HOW[@]}; i += 2)); do
    json_of "${HOW[i + 1]}"
    members+=",\"${HOW[i]}\":$TEXT"
  done
  json_number "${LAST_USED[_${HOW[1]-}]-}"
  [[ ${HOW[1]-} != *_jwt && ${HOW[1]-} != *tls_client_auth ]] || members+=",\"last_used_s\":$TEXT"
  TEXT=$members
}

# how_rows: add them to a table for people. A set of keys is long, and there is --json.
how_rows() {
  local i
  for ((i = 0; i < ${#HOW[@]}; i += 2)); do
    text_of "${HOW[i + 1]}"
    ((${#TEXT} <= 200)) || TEXT=${TEXT:0:200}…
    table_row "${HOW[i]}" "$TEXT"
    if [[ ${HOW[i]} == token_endpoint_auth_method && $TEXT != client_secret_* ]]; then
      time_of "${LAST_USED[_$TEXT]-}" never
      table_row 'last used' "$TEXT"
    fi
  done
}

# settle_how ID: of a client that has just been made, and that is taken back when it cannot be so.
# Nobody knows its secret yet.
settle_how() {
  local problem
  ((${#PAIRS[@]})) || return 0
  if ! redis_eval client_authentication "client:$1" , "$NOW" "${PAIRS[@]}"; then
    problem=$ANSWER
    redis_ask DEL "client:$1"
    ANSWER=$problem
    [[ $ANSWER != INVALID* ]] || refuse "${ANSWER#INVALID }"
    redis_fail
  fi
  list_changed
  case ${FLAG[auth-method]-} in
    '' | client_secret_*) ;;
    *) SECRET='' SECRET_ID='' ;;
  esac
}

# list_changed: CHANGED becomes what an answer says has changed.
list_changed() {
  local one
  json_row "$ANSWER"
  CHANGED=
  for one in "${ROW[@]}"; do
    text_of "$one"
    CHANGED+="${CHANGED:+, }$TEXT"
  done
}

# show_no_secret ID TITLE MORE_JSON
show_no_secret() {
  if [[ -n ${FLAG[json]-} ]]; then
    printf '{"client_id":"%s","client_secret":null,"secret_id":null,%s}\n' "$1" "$3"
  else
    printf '%s\n\nclient_id  %s\n\nIt has no secret: it authenticates by %s.\n' "$2" "$1" "${FLAG[auth-method]}"
  fi
}
