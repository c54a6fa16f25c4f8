-- Take calls from a rate: the generic cell rate algorithm, with a burst of one second.
-- KEYS  1 rate:{client id}, or another key that begins with rate:
-- ARGV  1 calls per second, 2 how many calls to take at most: whole numbers from 1
-- reply how many were taken; and when that is none, the milliseconds after which as many as were
--       wanted can be had, rounded up so that waiting them is enough
-- error RATE when an argument is not such a number
local rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
for _, number in ipairs({ rate or 0, wanted or 0 }) do
  if not (number >= 1 and number == math.floor(number)) then
    return redis.error_reply('RATE must be whole numbers from 1')
  end
end
wanted = math.min(wanted, rate)
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local step_us = 1000000 / rate
-- Theoretical arrival time: when the calls taken so far would have arrived at an even pace.
local arrival_us = math.max(tonumber(redis.call('GET', KEYS[1]) or now_us), now_us)
-- It is a second ahead at most. Much more, and the clock has been set back: begin anew, or nobody could
-- call, and the key would stay, until the clock is again where it was.
if arrival_us > now_us + 2000000 then
  arrival_us = now_us
end
local room_us = now_us + 1000000 - arrival_us
-- A thousandth of a call more: fractions of a microsecond must not cost one.
local taken = math.min(wanted, math.floor(room_us / step_us + 0.001))
if taken < 1 then
  return { 0, math.ceil((wanted * step_us - room_us) / 1000) }
end
redis.call('SET', KEYS[1], string.format('%.0f', arrival_us + taken * step_us), 'PX', 2000)
return { taken, 0 }
