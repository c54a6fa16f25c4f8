-- Take the data set away before a restore fills it: until restore_end, nobody can decide anything.
-- KEYS  1 dataset
-- ARGV  1 id of the data set to come (8 hex)  2 now, epoch seconds
-- reply OK
-- error INVALID an argument cannot be stored
-- Tokens of the data set until now are dead from here on, whatever becomes of the restore.
if #ARGV ~= 2 or #ARGV[1] ~= 8 or ARGV[1]:find('[^0-9a-f]') or not ARGV[2]:find('^%d+$') then
  return redis.error_reply('INVALID an argument cannot be stored')
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'restoring', ARGV[1], 'since_s', ARGV[2])
return redis.status_reply('OK')
