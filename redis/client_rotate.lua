-- Give a client a new secret, good at once; the newest live one stays good for a grace time.
-- KEYS  1 client:{id}
-- ARGV  1 now, epoch seconds  2 grace, seconds; 0 ends the previous secret at once
--       3 new secret's id (8 hex)  4 its salt (32 hex)  5 its keyed hash (64 hex)
-- reply the previous secret's id and when it ends, both "" when none stays good
-- error UNKNOWN there is no such client  INVALID an argument cannot be stored
--       METHOD it authenticates in another way than by secret
local now_s, grace_s = tonumber(ARGV[1]), tonumber(ARGV[2])

local function is_hex(text, length)
  return #text == length and not text:find('[^0-9a-f]')
end

if #ARGV ~= 5 or not ARGV[1]:find('^%d+$') or not ARGV[2]:find('^%d+$')
  or not (is_hex(ARGV[3], 8) and is_hex(ARGV[4], 32) and is_hex(ARGV[5], 64)) then
  return redis.error_reply('INVALID an argument cannot be stored')
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return redis.error_reply('UNKNOWN there is no such client')
end
local method = redis.call('HGET', KEYS[1], 'token_endpoint_auth_method') or ''
if method ~= '' and method:sub(1, 14) ~= 'client_secret_' then
  return redis.error_reply('METHOD it authenticates in another way than by secret')
end
-- Secrets that cannot be read open no door: a rotation may as well replace them.
local is_read, secrets = pcall(cjson.decode, redis.call('HGET', KEYS[1], 'secrets') or '[]')
local kept = { {
  id = ARGV[3], salt = ARGV[4], hash = ARGV[5], not_before_s = now_s, not_after_s = 0,
} }
local previous_id, ends_s = '', ''
for _, secret in ipairs(is_read and type(secrets) == 'table' and secrets or {}) do
  local end_s = type(secret) == 'table' and tonumber(secret.not_after_s)
  local is_live = end_s and (end_s == 0 or end_s > now_s)
  if is_live and grace_s > 0 and #kept == 1 then
    -- A secret that was to end sooner still does.
    secret.not_after_s = end_s == 0 and now_s + grace_s or math.min(end_s, now_s + grace_s)
    kept[2] = secret
    previous_id, ends_s = secret.id, string.format('%d', secret.not_after_s)
  end
end
redis.call('HSET', KEYS[1], 'secrets', cjson.encode(kept), 'updated_at', ARGV[1])
return { previous_id, ends_s }
