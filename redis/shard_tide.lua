-- Raise a gateway's high-water mark of one shard of a cluster, unless the shard is an older copy.
-- KEYS  1 tide:{number}
-- ARGV  1 id of the gateway  2 the mark that it knows
-- reply the mark; raised by one if it is not lower than the known one
local mark = tonumber(redis.call('HGET', KEYS[1], ARGV[1])) or 0
if mark >= tonumber(ARGV[2]) then
  mark = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
  redis.call('EXPIRE', KEYS[1], 31536000)
end
return mark
