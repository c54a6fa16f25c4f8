-- Refuse every token of a client, or of all, that was issued until now. Never lowers the mark.
-- KEYS  1 notbefore:{client id} or notbefore:*
-- ARGV  1 now, epoch seconds
-- reply the mark in force, epoch seconds: a token with iat up to it is dead
-- error INVALID the argument is not a time
-- A second kill within a second goes one further: whoever minted between them was given an iat one
-- past the first mark. A mark that is far ahead was set by a person, and nothing is minted past it.
-- The mark outlives the longest token lifetime (86400 s) and the largest leeway (60 s).
if #ARGV ~= 1 or not ARGV[1]:find('^%d+$') or #ARGV[1] > 11 then
  return redis.error_reply('INVALID the argument is not a time')
end
local now_s = tonumber(ARGV[1])
local mark_s = tonumber(redis.call('GET', KEYS[1])) or 0
if mark_s < now_s then
  mark_s = now_s
elseif mark_s < now_s + 60 then
  mark_s = mark_s + 1
end
redis.call('SET', KEYS[1], string.format('%d', mark_s), 'EX', mark_s - now_s + 86460)
return mark_s
