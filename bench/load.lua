-- wrk's side of the bench: which request comes next, and when. Run by bench/load.py.
-- args  1 file of requests sent in turn, over and over, or ""   2 file of requests sent once each, or ""
--       3 how often one of file 2 is due: 1 is always, 100 each hundredth; 0 never
--       4 requests per second in all, 0 as fast as possible
-- A line of a file is one request, its line breaks written as \1, behind "+" (must be answered below
-- 400) or "-" (must be refused). wrk runs this with one thread, so one state sees every request.
-- out   one line of JSON behind "bench "

local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *now);
]])
local MONOTONIC = 1
local time = ffi.new("bench_time")

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

local function now_ms()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1000 + tonumber(time.nanoseconds) / 1e6
end

local function read_requests(path)
  local requests, marks = {}, {}
  for line in io.lines(path) do
    marks[#marks + 1] = line:byte(1) == 45 and 1 or 0
    requests[#requests + 1] = line:sub(2):gsub("\1", "\r\n")
  end
  return requests, marks
end

-- Global: thread:get() reads them when the run is over.
sent, sent_to_be_refused, ran_out, behind_ms = 0, 0, 0, 0

local function by_turns(requests, marks)
  local i, n = 0, #requests
  return function()
    i = i == n and 1 or i + 1
    sent = sent + 1
    sent_to_be_refused = sent_to_be_refused + marks[i]
    return requests[i]
  end
end

local function once_each(requests, marks)
  local next_of_turn = by_turns(requests, marks)
  local left = #requests
  return function()
    if left == 0 then ran_out = ran_out + 1 else left = left - 1 end
    return next_of_turn()
  end
end

local function mixed(usual, rare, every)
  local i = 0
  return function()
    i = i + 1
    if i == every then
      i = 0
      return rare()
    end
    return usual()
  end
end

-- Each connection asks, when it is free, for how long to wait. The answers are the slots of one clock
-- that never waits for the server: what comes late is sent at once.
local function paced(per_s)
  local step_ms = 1000 / per_s
  local slot_ms = nil
  return function()
    local now = now_ms()
    slot_ms = slot_ms and slot_ms + step_ms or now
    behind_ms = math.max(behind_ms, now - slot_ms)
    return math.max(0, math.floor(slot_ms - now + 0.5))
  end
end

function init(args)
  local every, per_s = tonumber(args[3]), tonumber(args[4])
  local usual = args[1] ~= "" and by_turns(read_requests(args[1]))
  local rare = args[2] ~= "" and once_each(read_requests(args[2]))
  request = (usual and rare) and mixed(usual, rare, every) or usual or rare
  if per_s > 0 then
    delay = paced(per_s)
  end
end

function done(summary, latency)
  local thread, errors = threads[1], summary.errors
  io.write(string.format(
    'bench {"requests": %d, "duration_us": %d, "refused": %d, "sent": %d, "sent_to_be_refused": %d, ' ..
    '"ran_out": %d, "behind_ms": %.3f, "connect": %d, "read": %d, "write": %d, "timeout": %d, ' ..
    '"p50_us": %d, "p95_us": %d, "p99_us": %d, "max_us": %d}\n',
    summary.requests, summary.duration, errors.status, thread:get("sent"), thread:get("sent_to_be_refused"),
    thread:get("ran_out"), thread:get("behind_ms"), errors.connect, errors.read, errors.write, errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
