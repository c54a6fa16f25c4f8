# shellcheck shell=bash
# shellcheck disable=SC2034  # JTI and EXP are read by the scripts
# What an access token says of itself (RFC 7519). Its signature is not looked at.

# read_token TOKEN: TOKEN becomes it, read from stdin when it is a dash.
read_token() {
  TOKEN=$1
  [[ $TOKEN != - ]] || { TOKEN='' && IFS= read -r TOKEN; } 2>/dev/null || [[ -n $TOKEN ]] ||
    refuse "there is no token on stdin"
  [[ -n $TOKEN ]] || refuse "the token is empty"
}

# jwt_claims TOKEN: JTI, EXP and CLAIMED_CLIENT become its claims, or refuse.
jwt_claims() {
  local part='[A-Za-z0-9_-]' payload
  [[ $1 =~ ^$part+\.($part+)\.$part+$ ]] || refuse "that is not a JWT: three base64url parts with dots between"
  payload=${BASH_REMATCH[1]//-/+}
  payload=${payload//_/\/}
  while ((${#payload} % 4)); do payload+='='; done
  { payload=$(printf %s "$payload" | base64 -d); } 2>/dev/null || refuse "that is not a JWT: its payload is not base64url"
  json_members "$payload" || refuse "that is not a JWT: its payload is not a JSON object"
  JTI=${JSON[jti]-} EXP=${LITERAL[exp]-} CLAIMED_CLIENT=${JSON[client_id]-}
  [[ $JTI =~ ^[A-Za-z0-9._-]{1,128}$ ]] || refuse "the token has no jti that this house could have given it"
  [[ $EXP =~ ^[1-9][0-9]{0,11}$ ]] || refuse "the token has no exp that is a whole number"
}
