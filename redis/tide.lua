-- Raise a gateway's high-water mark, unless this is another data set or an older copy.
-- KEYS  1 dataset  2 tide:{dataset}, in the same cluster slot by its hash tag
-- ARGV  1 id of the gateway  2 id of the data set that it knows  3 the mark that it knows
-- reply the data set's id and the mark; raised by one if both are as known, or the mark is higher
-- A year after the last change of all, a mark has outlived every token that it could speak for.
-- Whoever holds a mark that was raised after a change knows of every copy without the mark that it may lack the change.
local id = redis.call('HGET', KEYS[1], 'id') or ''
local mark = tonumber(redis.call('HGET', KEYS[2], ARGV[1])) or 0
if id == ARGV[2] and mark >= tonumber(ARGV[3]) then
  mark = redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
  redis.call('EXPIRE', KEYS[2], 31536000)
end
return { id, mark }
