-- Take one call from a rate: the generic cell rate algorithm, with a burst of one second.
-- KEYS  1 rate:{client id}
-- ARGV  1 calls per second, a whole number from 1
-- reply 0 allowed, else the whole seconds to wait, rounded up so that waiting them is enough
-- error RATE when ARGV 1 is not such a number
local rate = tonumber(ARGV[1])
if not rate or rate < 1 or rate ~= math.floor(rate) then
  return redis.error_reply('RATE must be a whole number from 1')
end
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local step_us = 1000000 / rate
-- Theoretical arrival time: when the calls taken so far would have arrived at an even pace.
local arrival_us = math.max(tonumber(redis.call('GET', KEYS[1]) or now_us), now_us) + step_us
local wait_us = arrival_us - 1000000 - now_us
if wait_us > 0 then
  return math.ceil(wait_us / 1000000)
end
redis.call('SET', KEYS[1], string.format('%.0f', arrival_us), 'PX', 2000)
return 0
