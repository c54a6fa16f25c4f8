-- Register a client with its first secret, unless the id is taken.
-- KEYS  1 client:{id}
-- ARGV  1 now, epoch seconds  2 name  3 scopes  4 audiences  5 ttl_s or ""  6 rate_per_s or ""
--       7 secret's id (8 hex)  8 its salt (32 hex)  9 its keyed hash (64 hex)
-- reply OK
-- error TAKEN the id has a client  INVALID an argument cannot be stored
local now_s, ttl_s, rate_per_s = ARGV[1], ARGV[5], ARGV[6]

local function is_hex(text, length)
  return #text == length and not text:find('[^0-9a-f]')
end

local function is_whole_or_empty(text)
  return text == '' or (text:find('^[1-9]%d*$') ~= nil and #text <= 10)
end

if #ARGV ~= 9 or not now_s:find('^%d+$') or ARGV[2]:find('%c') or ARGV[3]:find('[%c"\\]')
  or ARGV[4]:find('[%c"\\]') or not is_whole_or_empty(ttl_s) or not is_whole_or_empty(rate_per_s)
  or not (is_hex(ARGV[7], 8) and is_hex(ARGV[8], 32) and is_hex(ARGV[9], 64)) then
  return redis.error_reply('INVALID an argument cannot be stored')
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('TAKEN the id has a client')
end

local secrets = cjson.encode({ {
  id = ARGV[7], salt = ARGV[8], hash = ARGV[9], not_before_s = tonumber(now_s), not_after_s = 0,
} })
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'status', 'active', 'scopes', ARGV[3],
  'audiences', ARGV[4], 'ttl_s', ttl_s, 'rate_per_s', rate_per_s, 'secrets', secrets,
  'created_at', now_s, 'updated_at', now_s)
return redis.status_reply('OK')
