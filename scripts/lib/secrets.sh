# shellcheck shell=bash
# shellcheck disable=SC2034  # what is set here is read by the scripts
# Secrets: 256 random bits, URL-safe. They live in variables and pipes: never in an argument, where
# the process list would show them, and never on disk unless that is their place.

# random_secret: SECRET becomes a new one, 43 characters.
random_secret() {
  SECRET=$(openssl rand -base64 32) || return 1
  SECRET=${SECRET//+/-} SECRET=${SECRET//\//_} SECRET=${SECRET%=}
  [[ $SECRET =~ ^[A-Za-z0-9_-]{43}$ ]]
}

# client_secret: SECRET becomes a new one; SECRET_ID, SALT and HASH what is stored of it.
client_secret() {
  random_secret || fail "openssl made no secret"
  SECRET_ID=$(openssl rand -hex 4)
  SALT=$(openssl rand -hex 16)
  HASH=$(printf %s "$SECRET" | openssl dgst -sha256 -hmac "$SALT" -r)
  HASH=${HASH%% *}
  [[ $SECRET_ID$SALT$HASH =~ ^[0-9a-f]{104}$ ]] || fail "openssl made no secret"
}
