# shellcheck shell=bash
# Writing what the parts of a stack read: passwords, users.acl, app.env, nginx's files. Sourced by scripts/up, never run.

# write_private FILE: stdin becomes FILE, whole or not at all, for its owner only; untouched when it says so already.
write_private() {
  local fresh
  fresh=$(mktemp "$1.XXXXXX")
  cat >"$fresh"
  if cmp -s "$fresh" "$1"; then rm "$fresh"; else mv "$fresh" "$1"; fi
}

# write_redis_users: users.acl from the template, with passwords made on the first run. A folder from before an account
# was added gets the one that is missing.
write_redis_users() {
  local name variable APP_PASSWORD='' OPS_PASSWORD='' DASHBOARD_PASSWORD='' ADMIN_PASSWORD=''
  local -a hashes=()
  # shellcheck source=/dev/null
  [ ! -s "$RUN_DIR/redis.env" ] || . "$RUN_DIR/redis.env"
  for name in APP OPS DASHBOARD ADMIN; do
    variable=${name}_PASSWORD
    [ -n "${!variable}" ] || printf -v "$variable" %s "$(openssl rand -hex 32)"
    hashes+=(-e "s/@${name}_HASH@/$(hash_of "${!variable}")/")
  done
  printf '%s\n' "APP_PASSWORD=$APP_PASSWORD" "OPS_PASSWORD=$OPS_PASSWORD" "DASHBOARD_PASSWORD=$DASHBOARD_PASSWORD" \
    "ADMIN_PASSWORD=$ADMIN_PASSWORD" | write_private "$RUN_DIR/redis.env"
  sed -e '/^#/d' "${hashes[@]}" redis/users.acl |
    awk '/^user/ { printf "\n" } { printf "%s ", $0 } END { printf "\n" }' | sed '/^ *$/d' |
    write_private "$RUN_DIR/users.acl"
  APP_REDIS_URL=unix://app:$APP_PASSWORD@$REDIS_SOCKET
  DASHBOARD_REDIS_URL=unix://dashboard:$DASHBOARD_PASSWORD@$REDIS_SOCKET
  ADMIN_REDIS_URL=unix://admin:$ADMIN_PASSWORD@$REDIS_SOCKET
}

hash_of() {
  printf %s "$1" | sha256sum | cut -d' ' -f1
}

# settle_redis: sets what the app uses (APP_REDIS_URL), and what the scripts do (REDIS_SOCKET or REDIS_URL).
settle_redis() {
  if [ -n "$REDIS_URL" ]; then
    APP_REDIS_URL=$REDIS_URL
    REDIS_SOCKET=
    export REDIS_URL
  else
    export -n REDIS_URL
    export REDIS_SOCKET=$RUN_DIR/redis.sock
    write_redis_users
  fi
}

# settle_app_environment: fills APP_ENVIRONMENT with what the app reads: ours, and what the caller has set.
settle_app_environment() {
  local name possible='^[A-Z_]+=[] !#%&(-[^_a-~]+$'
  APP_ENVIRONMENT=("ISSUER=$ISSUER" "KEYS_DIR=$KEYS_DIR" "METRICS_DIR=$RUN_DIR/metrics" "STATE_DIR=${STATE_DIR:-$RUN_DIR/state}"
    "REDIS_URL=$APP_REDIS_URL")
  for name in AUDIENCE TOKEN_TTL_S LEEWAY_S REALM REDIS_TIMEOUT_MS REPLICAS_TO_ACK REPLICAS_ACK_TIMEOUT_MS AUDIT_MAX_ENTRIES \
    HEARTBEAT_MS WARM_TOKENS WARM_CLIENTS CANARY_S DPOP_NONCE DPOP_ORIGINS LOG_LEVEL ADMIN_HOSTS MTLS_URL JWKS_ORIGINS \
    TRACES OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES OTEL_TRACES_SAMPLER OTEL_TRACES_SAMPLER_ARG \
    OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_HEADERS OTEL_EXPORTER_OTLP_TIMEOUT; do
    [ -z "${!name:-}" ] || APP_ENVIRONMENT+=("$name=${!name}")
  done
  [ -z "${DASHBOARD_REDIS_URL:-}" ] || APP_ENVIRONMENT+=("DASHBOARD_REDIS_URL=$DASHBOARD_REDIS_URL")
  # The account that may change clients is the app's only where somebody may sign in.
  [ -z "${ADMIN_TOKEN:-}" ] || APP_ENVIRONMENT+=("ADMIN_TOKEN=$ADMIN_TOKEN")
  [ -z "${ADMIN_TOKEN:-}" ] || [ -z "${ADMIN_REDIS_URL:-}" ] || APP_ENVIRONMENT+=("ADMIN_REDIS_URL=$ADMIN_REDIS_URL")
  for name in "${APP_ENVIRONMENT[@]}"; do
    [[ $name =~ $possible ]] ||
      fail 2 "${name%%=*} has a character that app.env cannot carry: printable ASCII without quotes, \$, \` and \\ is possible"
  done
}

# write_app_env: the app's environment, and where the stack listens, for scripts and people.
write_app_env() {
  local setting
  for setting in "${APP_ENVIRONMENT[@]}" "HTTP_PORT=$HTTP_PORT" "OPS_PORT=$OPS_PORT" "OPS_URL=$OPS_URL" \
    "TOKEN_URL=$BASE_URL/token" "REDIS_SOCKET=${REDIS_SOCKET:-}" "DATABASE_URL=${DATABASE_URL:-}"; do
    case $setting in
      *=) ;;
      *[\ \;\&\(\)\<\>\|\*?#~]*) printf '%s="%s"\n' "${setting%%=*}" "${setting#*=}" ;; # so that a shell may read it too
      *) printf '%s\n' "$setting" ;;
    esac
  done | write_private "$RUN_DIR/app.env"
}

# render_nginx: the repository's files with this stack's paths and addresses; they say /run/portcullis, 8080 and 9090.
render_nginx() {
  local file
  mkdir -p "$RUN_DIR/nginx"
  for file in nginx/nginx.conf nginx/portcullis-*; do
    # As root, nginx's workers would become nobody, who may not enter RUN_DIR.
    { [ "$(id -u)" -ne 0 ] || [ "$file" != nginx/nginx.conf ] || echo "user root;"; sed -e "s#/run/portcullis#$RUN_DIR#g" \
      -e "s/127\.0\.0\.1:8080/$HTTP_ADDR:$HTTP_PORT/g" -e "s/127\.0\.0\.1:9090/127.0.0.1:$OPS_PORT/g" "$file"; } |
      write_private "$RUN_DIR/$file"
  done
}
