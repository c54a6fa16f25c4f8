# shellcheck shell=bash
# shellcheck disable=SC2034  # what is set here is read by scripts/key
# The keyring: a line `KID ALG SIGNS_FROM_S` per key, and beside it a file with the key itself.

KEYS_DIR=${KEYS_DIR:-$RUN_DIR/keys}
ALGORITHMS="ES256 EdDSA RS256 HS256"
# How long a key is accepted after its successor signs.
OVERLAP_S=$((LONGEST_LIFETIME_S + LONGEST_LEEWAY_S))
NOW=$EPOCHSECONDS

# read_keyring: fill KIDS, ALGS, SIGNS_FROM, VERIFIES_UNTIL (0: no end yet) and STATES, which go
# together, oldest key first. No file is an empty ring.
read_keyring() {
  KIDS=() ALGS=() SIGNS_FROM=() VERIFIES_UNTIL=() STATES=()
  local line number=0 sorted=() from kid alg
  [[ -e $KEYS_DIR/keyring ]] || return 0
  [[ -r $KEYS_DIR/keyring ]] || fail "may not read $KEYS_DIR/keyring"
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    line=${line%%#*}
    [[ $line =~ [^[:space:]] ]] || continue
    [[ $line =~ ^[[:space:]]*([A-Za-z0-9._-]+)[[:space:]]+(ES256|EdDSA|RS256|HS256)[[:space:]]+([0-9]{1,11})[[:space:]]*$ ]] ||
      fail "$KEYS_DIR/keyring line $number: expected KID ALG SIGNS_FROM_S"
    sorted+=("${BASH_REMATCH[3]} ${BASH_REMATCH[1]} ${BASH_REMATCH[2]}")
  done <"$KEYS_DIR/keyring"
  ((${#sorted[@]})) || return 0
  while read -r from kid alg; do
    SIGNS_FROM+=("$((10#$from))") KIDS+=("$kid") ALGS+=("$alg")
  done < <(printf '%s\n' "${sorted[@]}" | sort -s -n -k 1,1)
  tell_states
}

# tell_states: the newest key whose time has come signs; its successor's start ends each key.
tell_states() {
  local i last=$((${#KIDS[@]} - 1))
  for ((i = 0; i <= last; i++)); do
    VERIFIES_UNTIL[i]=0 STATES[i]=signing
    ((i == last)) || VERIFIES_UNTIL[i]=$((SIGNS_FROM[i + 1] + OVERLAP_S))
    if ((SIGNS_FROM[i] > NOW)); then
      STATES[i]=next
    elif ((i < last && VERIFIES_UNTIL[i] <= NOW)); then
      STATES[i]=dead
    elif ((i < last && SIGNS_FROM[i + 1] <= NOW)); then
      STATES[i]=verifying
    fi
  done
}

# signing_key: SIGNER becomes the place of the key that signs now; return 1 when there is none.
signing_key() {
  for ((SIGNER = ${#KIDS[@]} - 1; SIGNER >= 0; SIGNER--)); do
    [[ ${STATES[SIGNER]} != signing ]] || return 0
  done
  return 1
}

# key_file KID ALG: FILE becomes where the key is.
key_file() {
  FILE=$KEYS_DIR/$1.pem
  [[ $2 != HS256 ]] || FILE=$KEYS_DIR/$1.secret
}

# key_json PLACE: TEXT becomes the key as a JSON object.
key_json() {
  json_number "${VERIFIES_UNTIL[$1]/#0/none}"
  TEXT="{\"kid\":\"${KIDS[$1]}\",\"alg\":\"${ALGS[$1]}\",\"state\":\"${STATES[$1]}\",\
\"signs_from_s\":${SIGNS_FROM[$1]},\"verifies_until_s\":$TEXT}"
}

# lock_keyring: one change at a time. A folder is made by one process only.
lock_keyring() {
  if ! mkdir -p -- "$KEYS_DIR" 2>/dev/null || [[ ! -w $KEYS_DIR ]]; then fail "may not write in $KEYS_DIR"; fi
  mkdir -- "$KEYS_DIR/.lock" 2>/dev/null ||
    fail "another change of the keys is under way; if none is, remove the folder $KEYS_DIR/.lock"
  trap 'rm -f -- "$KEYS_DIR/.new"; rmdir -- "$KEYS_DIR/.lock"' EXIT
}

# put_in_place FILE: KEYS_DIR/.new becomes FILE, whole or not at all, for the owner of KEYS_DIR.
put_in_place() {
  if ((EUID == 0)); then chown --reference="$KEYS_DIR" -- "$KEYS_DIR/.new"; fi
  sync -- "$KEYS_DIR/.new"
  mv -f -- "$KEYS_DIR/.new" "$1"
}

# make_key ALG FILE
# shellcheck disable=SC2153  # SECRET is set by random_secret
make_key() {
  local new=$KEYS_DIR/.new problem='' secret
  case $1 in
    ES256) problem=$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$new" 2>&1) ;;
    EdDSA) problem=$(openssl genpkey -algorithm ED25519 -out "$new" 2>&1) ;;
    RS256) problem=$(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$new" 2>&1) ;;
    HS256) random_secret && printf %s "$SECRET" >"$new" ;;
  esac || fail "no key was made: $problem"
  put_in_place "$2"
}

# write_keyring DROP [LINE]: the keyring without the line of the key DROP, and with LINE after it. What
# people wrote into it stays.
write_keyring() {
  local line lines=()
  if [[ -e $KEYS_DIR/keyring ]]; then mapfile -t lines <"$KEYS_DIR/keyring"; fi
  {
    for line in ${lines[@]+"${lines[@]}"}; do
      [[ -n $1 && $line =~ ^[[:space:]]*"$1"[[:space:]] ]] || printf '%s\n' "$line"
    done
    printf '%s' "${2+$2$'\n'}"
  } >"$KEYS_DIR/.new"
  put_in_place "$KEYS_DIR/keyring"
}
