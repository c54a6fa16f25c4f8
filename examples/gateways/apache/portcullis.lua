-- Asks Portcullis about a call, from Apache's mod_lua:  LuaHookAccessChecker /etc/apache2/portcullis.lua check
-- in    PORTCULLIS_SCOPE, what the call needs; UNIQUE_ID, by mod_unique_id; PORTCULLIS_ADDRESS, host:port
-- Refuses with the status that Portcullis said and its challenge; whatever went wrong is 503.

local socket = require 'socket'

local CONNECT_S, ANSWER_S = 0.25, 1
local MOST_LINES = 64
local IDENTITY = { ['x-auth-client-id'] = true, ['x-auth-scope'] = true, ['x-auth-jti'] = true, ['x-auth-expires'] = true }
local GIVEN = { 'X-Auth-Client-Id', 'X-Auth-Scope', 'X-Auth-Jti' }
local REFUSED = { [401] = true, [403] = true, [429] = true }

local kept -- LuaScope thread: a connection that this thread may use again

local function question(r, host, request_id)
  local lines = { 'GET /validate HTTP/1.1', 'Host: ' .. host }
  local function add(name, value)
    if value and value ~= '' then lines[#lines + 1] = name .. ': ' .. value end
  end
  add('Authorization', r.headers_in['Authorization'])
  add('X-Required-Scope', r.subprocess_env['PORTCULLIS_SCOPE'])
  add('X-Original-Method', r.method)
  add('X-Original-URI', r.unparsed_uri)
  add('X-Request-ID', request_id)
  return table.concat(lines, '\r\n') .. '\r\n\r\n'
end

-- Returns status, headers, and whether the connection is clean: an answer with a body has left it there.
local function exchange(connection, text)
  if not connection:send(text) then return nil end
  local status = tonumber((connection:receive('*l') or ''):match('^HTTP/1%.[01] (%d%d%d)'))
  local headers = {}
  for _ = 1, MOST_LINES do
    local line = status and connection:receive('*l')
    if not line then return nil end
    if line == '' then
      local is_clean = status == 204 or headers['content-length'] == '0'
      return status, headers, is_clean and headers['connection'] ~= 'close'
    end
    local name, value = line:match('^([^:]+):%s*(.-)%s*$')
    if name then headers[name:lower()] = value end
  end
  return nil
end

local function ask(host, port, text)
  local connection, is_used = kept, kept ~= nil
  kept = nil
  for _ = 1, 2 do
    if not connection then
      connection = socket.tcp()
      connection:settimeout(CONNECT_S)
      if not connection:connect(host, port) then return nil end
      connection:settimeout(ANSWER_S, 't')
    end
    local status, headers, is_clean = exchange(connection, text)
    if status and is_clean then kept = connection else connection:close() end
    -- A kept connection may have been closed meanwhile. Asking twice is one use: it has the same request id.
    if status or not is_used then return status, headers end
    connection, is_used = nil, false
  end
end

local function refuse(r, status, headers)
  if not REFUSED[status] then status = 503 end
  r.err_headers_out['WWW-Authenticate'] = headers['www-authenticate']
  if status == 429 or status == 503 then r.err_headers_out['Retry-After'] = headers['retry-after'] or '1' end
  r.err_headers_out['Cache-Control'] = 'no-store'
  return status
end

local function judge(r)
  -- Who the client says it is, under any spelling that an upstream may take for X-Auth-*.
  for name in pairs(r:headers_in_table()) do
    if IDENTITY[name:lower():gsub('[^a-z0-9]', '-')] then r.headers_in[name] = nil end
  end
  local request_id = r.subprocess_env['UNIQUE_ID']:gsub('@', '_')
  local host, port = r.subprocess_env['PORTCULLIS_ADDRESS']:match('^(.+):(%d+)$')
  local status, headers = ask(host, tonumber(port), question(r, host, request_id))
  r.err_headers_out['X-Request-ID'] = request_id
  if status ~= 204 or not headers['x-auth-client-id'] then return refuse(r, status, headers or {}) end
  for _, name in ipairs(GIVEN) do r.headers_in[name] = headers[name:lower()] end
  r.headers_in['X-Request-ID'] = request_id
  r.headers_in['Authorization'] = nil
  return apache2.OK
end

function check(r)
  local is_done, answer = pcall(judge, r)
  if is_done then return answer end
  r:err('portcullis: ' .. tostring(answer))
  return refuse(r, 503, {})
end
