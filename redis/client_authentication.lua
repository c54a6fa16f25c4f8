-- Set how a client authenticates, and what its tokens are bound to (RFC 7591, 8705, 9449).
-- KEYS  1 client:{id}
-- ARGV  1 now, epoch seconds; then pairs of a field and its value, "" to take it away
-- reply the fields that have changed, each with what it is now; of keys, only that they have
-- error UNKNOWN there is no such client
--       INVALID with what is wrong: an argument, or the record that would come of it
-- A client that authenticates in another way than by secret keeps none.
local METHODS = {
  client_secret_basic = 'secret', client_secret_post = 'secret', private_key_jwt = 'keys',
  self_signed_tls_client_auth = 'keys', tls_client_auth = 'subject',
}
local SUBJECTS = {
  'tls_client_auth_subject_dn', 'tls_client_auth_san_dns', 'tls_client_auth_san_uri',
  'tls_client_auth_san_ip', 'tls_client_auth_san_email',
}
local PRIVATE = { 'd', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv' }

local function problem_with_jwks(text)
  local is_read, document = pcall(cjson.decode, text)
  local keys = is_read and type(document) == 'table' and document.keys
  if #text > 16384 or type(keys) ~= 'table' or #keys < 1 or #keys > 20 then
    return 'jwks is not a JWK set of 1 to 20 keys, in 16 KiB'
  end
  for _, jwk in ipairs(keys) do
    if type(jwk) ~= 'table' or type(jwk.kty) ~= 'string' then
      return 'jwks has a key without a kty'
    end
    for _, name in ipairs(PRIVATE) do
      if jwk[name] ~= nil then
        return 'jwks has a private or a shared key: register the public one'
      end
    end
  end
end

local function problem_with_flag(value)
  return value ~= 'true' and value ~= 'false' and 'a flag is true or false' or nil
end

local function problem_with_subject(value)
  return (#value > 512 or value:find('%c')) and 'a name has 512 printable characters at most' or nil
end

local PROBLEM = {
  token_endpoint_auth_method = function(value)
    return not METHODS[value] and 'token_endpoint_auth_method is not one that is known' or nil
  end,
  jwks = problem_with_jwks,
  jwks_uri = function(value)
    local is_uri = #value <= 512 and value:find('^https?://[^%s%c"\\@#]+$')
    return not is_uri and 'jwks_uri is not an http(s) URL' or nil
  end,
  tls_client_certificate_bound_access_tokens = problem_with_flag,
  dpop_bound_access_tokens = problem_with_flag,
}
for _, subject in ipairs(SUBJECTS) do
  PROBLEM[subject] = problem_with_subject
end

local function invalid(text)
  return redis.error_reply('INVALID ' .. text)
end

if #ARGV < 3 or #ARGV % 2 == 0 or not ARGV[1]:find('^%d+$') then
  return invalid('it takes the time, and pairs of a field and its value')
end
local record, asked = {}, {}
for place = 2, #ARGV, 2 do
  local field, value = ARGV[place], ARGV[place + 1]
  if not PROBLEM[field] or asked[field] then
    return invalid('a field is not known, or comes twice')
  end
  local problem = value ~= '' and PROBLEM[field](value)
  if problem then
    return invalid(problem)
  end
  asked[field], record[field] = value, value
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return redis.error_reply('UNKNOWN there is no such client')
end

local present = {}
for field in pairs(PROBLEM) do
  present[field] = redis.call('HGET', KEYS[1], field) or ''
  record[field] = record[field] or present[field]
end
local method = record.token_endpoint_auth_method
local needs, subjects = METHODS[method] or 'secret', 0
for _, subject in ipairs(SUBJECTS) do
  subjects = subjects + (record[subject] ~= '' and 1 or 0)
end
if needs == 'keys' and (record.jwks == '') == (record.jwks_uri == '') then
  return invalid(method .. ' needs jwks or jwks_uri, and not both')
elseif needs == 'subject' and subjects ~= 1 then
  return invalid(method .. ' needs one name: subject_dn, san_dns, san_uri, san_ip or san_email')
end

local changed = {}
for field, value in pairs(asked) do
  if value ~= present[field] then
    if value == '' then
      changed[#changed + 1] = field .. ' removed'
      redis.call('HDEL', KEYS[1], field)
    else
      changed[#changed + 1] = field == 'jwks' and field or field .. ' ' .. value
      redis.call('HSET', KEYS[1], field, value)
    end
  end
end
if needs ~= 'secret' then
  redis.call('HSET', KEYS[1], 'secrets', '[]')
end
if #changed > 0 then
  redis.call('HSET', KEYS[1], 'updated_at', ARGV[1])
end
table.sort(changed)
return changed
