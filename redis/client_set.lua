-- Set a client's status or scopes. What is so already is not written again.
-- KEYS  1 client:{id}
-- ARGV  1 now, epoch seconds  2 status or scopes  3 the new value
-- reply the value until now
-- error UNKNOWN there is no such client  INVALID an argument cannot be stored
local now_s, field, value = ARGV[1], ARGV[2], ARGV[3]

local is_valid = #ARGV == 3 and now_s:find('^%d+$')
  and ((field == 'status' and (value == 'active' or value == 'disabled'))
    or (field == 'scopes' and not value:find('[%c"\\]')))
if not is_valid then
  return redis.error_reply('INVALID an argument cannot be stored')
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return redis.error_reply('UNKNOWN there is no such client')
end

local previous = redis.call('HGET', KEYS[1], field) or ''
if previous ~= value then
  redis.call('HSET', KEYS[1], field, value, 'updated_at', now_s)
end
return previous
