-- Open an account, once.
-- KEYS  1 once:{hash of client and idempotency key}  2 account:{id}
-- ARGV  1 fingerprint of the request  2 seconds that its answer is kept  3 client id, the owner  4 account id
-- reply "opened ID SECONDS": now, or by the first request with this key and fingerprint, then with "again " before it
--       "other_request" the key was used for another request
local kept = redis.call('GET', KEYS[1])
if kept then
  local fingerprint, answer = kept:match('^(%S+) (.*)$')
  return fingerprint == ARGV[1] and 'again ' .. answer or 'other_request'
end
local now_s = redis.call('TIME')[1]
local answer = 'opened ' .. ARGV[4] .. ' ' .. now_s
redis.call('HSET', KEYS[2], 'owner', ARGV[3], 'balance', '0', 'opened_at', now_s)
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. answer, 'EX', ARGV[2])
return answer
