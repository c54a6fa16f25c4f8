-- Begin the data set that a restore has filled.
-- KEYS  1 dataset
-- ARGV  1 the id that restore_begin was given (8 hex)  2 now, epoch seconds
-- reply OK
-- error GONE the mark of this restore is not there: the data was lost meanwhile, or another began
--       INVALID an argument cannot be stored
if #ARGV ~= 2 or not ARGV[2]:find('^%d+$') then
  return redis.error_reply('INVALID an argument cannot be stored')
end
if redis.call('HGET', KEYS[1], 'restoring') ~= ARGV[1] then
  return redis.error_reply('GONE the mark of this restore is not there')
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'birth_s', ARGV[2])
return redis.status_reply('OK')
