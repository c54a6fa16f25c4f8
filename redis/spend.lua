-- Spend a one-time token.
-- KEYS  1 ott:{jti}  2 spent:{ott:{jti}}, in the same cluster slot by its hash tag
-- ARGV  1 id of the request, made by nginx; "" when there is none
-- reply 1 spent by this request, now or a moment ago (its retry)  0 spent by another, or unknown
-- A retry comes within seconds, so the note of who spent it need not live longer than a minute.
if redis.call('DEL', KEYS[1]) == 1 then
  if ARGV[1] ~= '' then
    redis.call('SET', KEYS[2], ARGV[1], 'EX', 60)
  end
  return 1
end
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) == ARGV[1] then
  return 1
end
return 0
