-- Begin a data set, unless there is one.
-- KEYS  1 dataset
-- ARGV  1 proposed id (8 hex)  2 now, epoch seconds  3 id of one that has been found out to be an older copy, if any:
--       it ends, whoever says so first
-- reply the id in force
-- error RESTORING a restore has begun and has not ended: nothing can be decided until one has
-- A hash without an id, or with an empty one (a person removed it), is a lost data set too.
local id = redis.call('HGET', KEYS[1], 'id')
if id and id ~= '' and id ~= ARGV[3] then
  return id
end
if redis.call('HGET', KEYS[1], 'restoring') then
  return redis.error_reply('RESTORING a restore has begun and has not ended')
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'birth_s', ARGV[2])
return ARGV[1]
