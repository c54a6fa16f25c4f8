-- Move money from one account to another, once. What is taken here is given there: nothing else changes a balance.
-- KEYS  1 once:{hash of client and idempotency key}  2 account it comes from  3 account it goes to  4 5 their histories
-- ARGV  1 fingerprint of the request  2 seconds that its answer is kept  3 client id
--       4 deposit, withdrawal or transfer  5 cents, 1 to 2^53 - 1  6 id it comes from  7 id it goes to
--       8 reference, any text  9 entries that a history keeps, about
-- reply "booked ENTRY BALANCE": of the client's own side; now, or by the first request with this key and fingerprint,
--       then with "again " before it. So too "no_account", "insufficient_funds", "limit_exceeded"
--       "other_request" the key was used for another request
-- Redis refuses the first write when its memory is full, and no later one: nothing is booked by half.
local LARGEST = 2 ^ 53 - 1
local kind, cents = ARGV[4], tonumber(ARGV[5])

local kept = redis.call('GET', KEYS[1])
if kept then
  local fingerprint, answer = kept:match('^(%S+) (.*)$')
  return fingerprint == ARGV[1] and 'again ' .. answer or 'other_request'
end

local function judge()
  local own = kind == 'deposit' and KEYS[3] or KEYS[2]
  if redis.call('HGET', own, 'owner') ~= ARGV[3] then return 'no_account' end
  if kind == 'transfer' and redis.call('EXISTS', KEYS[3]) == 0 then return 'no_account' end
  local left = tonumber(redis.call('HGET', KEYS[2], 'balance') or '0') - cents
  -- The world outside owes what is inside. As long as that is a number Lua and JSON can hold, so is every balance.
  if kind == 'deposit' then return left < -LARGEST and 'limit_exceeded' or nil end
  return left < 0 and 'insufficient_funds' or nil
end

local function enter(account, history, change, other)
  -- Not by `..`: that would write 2^53 - 1 as 9.007e15.
  local balance = string.format('%.0f', redis.call('HINCRBY', account, 'balance', change))
  local entry = redis.call('XADD', history, 'MAXLEN', '~', ARGV[9], '*', 'kind', kind, 'amount', change,
    'balance', balance, 'other', other, 'reference', ARGV[8])
  return 'booked ' .. entry .. ' ' .. balance
end

local answer = judge()
if not answer then
  local taken = enter(KEYS[2], KEYS[4], '-' .. ARGV[5], ARGV[7])
  local given = enter(KEYS[3], KEYS[5], ARGV[5], ARGV[6])
  answer = kind == 'deposit' and given or taken
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. answer, 'EX', ARGV[2])
return answer
