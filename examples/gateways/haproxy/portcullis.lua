-- Asks Portcullis about a call:  http-request lua.portcullis ADDRESS PORT
-- in    txn.scope what the call needs, txn.request_id a new one of HAProxy's own
-- out   txn.status 204, 401, 403, 429 or 503; whatever went wrong is 503
--       txn.client_id txn.granted_scope txn.jti (204), txn.challenge (401, 403), txn.retry_after (429, 503)
-- A connection for each question: HAProxy's Lua cannot keep one between calls. Its own HTTP client is not used: in 2.6 it
-- tries a closed port for three seconds.

local LONGEST_S = 1
local MOST_LINES = 64
local SAID = { ['204'] = true, ['401'] = true, ['403'] = true, ['429'] = true }

-- Several Authorization headers become one that is no token, so that nobody can choose which one counts.
local function authorization_of(txn)
  local all = {}
  for _, value in pairs(txn.http:req_get_headers()['authorization'] or {}) do all[#all + 1] = value end
  return #all > 0 and table.concat(all, ', ') or nil
end

local function question(txn, host)
  local lines = { 'GET /validate HTTP/1.1', 'Host: ' .. host, 'Connection: close' }
  local function add(name, value)
    if value and value ~= '' then lines[#lines + 1] = name .. ': ' .. value end
  end
  add('Authorization', authorization_of(txn))
  add('X-Required-Scope', txn:get_var('txn.scope'))
  add('X-Original-Method', txn.sf:method())
  add('X-Original-URI', txn.sf:pathq())
  add('X-Request-ID', txn:get_var('txn.request_id'))
  return table.concat(lines, '\r\n') .. '\r\n\r\n'
end

-- Returns status and headers, or nothing unless the whole head of an answer has come.
local function ask(host, port, text)
  local socket = core.tcp()
  socket:settimeout(LONGEST_S)
  if not socket:connect(host, port) or not socket:send(text) then return nil end
  local status = (socket:receive('*l') or ''):match('^HTTP/1%.[01] (%d%d%d)')
  local headers = {}
  for _ = 1, MOST_LINES do
    local line = status and socket:receive('*l')
    if not line then break end
    line = line:gsub('\r$', '')
    if line == '' then
      socket:close()
      return status, headers
    end
    local name, value = line:match('^([^:]+):%s*(.-)%s*$')
    if name then headers[name:lower()] = value end
  end
  socket:close()
  return nil
end

core.register_action('portcullis', { 'http-req' }, function(txn, host, port)
  local status, headers = ask(host, tonumber(port), question(txn, host))
  headers = headers or {}
  if not SAID[status] or (status == '204' and not headers['x-auth-client-id']) then status = '503' end
  txn:set_var('txn.status', status)
  txn:set_var('txn.client_id', headers['x-auth-client-id'] or '')
  txn:set_var('txn.granted_scope', headers['x-auth-scope'] or '')
  txn:set_var('txn.jti', headers['x-auth-jti'] or '')
  txn:set_var('txn.challenge', headers['www-authenticate'] or 'Bearer')
  txn:set_var('txn.retry_after', headers['retry-after'] or '1')
end, 2)
