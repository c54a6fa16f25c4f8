-- Kill every token of a client, or of all, that has been minted until now.
-- KEYS  1 notbefore:{client id} or notbefore:*
-- ARGV  none: the time is Redis' own
-- reply the kill in force, epoch seconds: "S.mmm", or "S" when a person has typed one that is far ahead
-- error INVALID there is an argument
-- A token says which kills its mint knew of (app/gate.py), so each must be later than the one
-- before, whatever the clock does. A whole second was typed by a person, and all of it is dead; when
-- it is far ahead, everything is dead until then, and stays so.
-- The key outlives the longest token lifetime (86400 s) and the largest leeway (60 s).
if #ARGV ~= 0 then
  return redis.error_reply('INVALID it takes no argument')
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local present = redis.call('GET', KEYS[1]) or ''
local seconds, milliseconds = present:match('^(%d+)%.?(%d*)$')
local kill_ms = now_ms
if seconds and #seconds <= 12 and (#milliseconds == 3 or not present:find('.', 1, true)) then
  -- Who knew of a whole second knew of all of it.
  local present_ms = seconds * 1000 + (tonumber(milliseconds) or 999)
  if milliseconds == '' and present_ms > now_ms + 60000 then
    redis.call('SET', KEYS[1], present, 'EXAT', seconds + 86460)
    return present
  end
  kill_ms = math.max(now_ms, present_ms + 1)
end
local kill = string.format('%d.%03d', math.floor(kill_ms / 1000), kill_ms % 1000)
redis.call('SET', KEYS[1], kill, 'EX', math.ceil((kill_ms - now_ms) / 1000) + 86460)
return kill
