-- Routes and rates. Time is the server's, one clock for all nodes, in
-- microseconds: what a number of Lua holds exactly. Numbers become text by
-- string.format, which loses no digits.
--
-- A route is a sorted set a user: nodes, with the moment until which they hold.
-- A bucket is the moment at which all of its tokens are back.
local key, call = KEYS[1], redis.call
local t = call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local function text(n) return string.format('%.0f', n) end

local act = {}

-- enter: node, time to live in microseconds
function act.enter()
  local ttl = tonumber(ARGV[3])
  call('ZREMRANGEBYSCORE', key, '-inf', text(now))
  call('ZADD', key, text(now + ttl), ARGV[2])
  local last = call('ZRANGE', key, '-1', '-1', 'WITHSCORES')
  call('PEXPIRE', key, text(math.ceil((tonumber(last[2]) - now) / 1000)))
  return {}
end

function act.where()
  return call('ZRANGEBYSCORE', key, '(' .. text(now), '+inf')
end

-- take: microseconds a token, burst, tokens. The answer: microseconds to wait.
function act.take()
  local per, burst = tonumber(ARGV[2]), tonumber(ARGV[3])
  local full = math.max(tonumber(call('GET', key) or '0'), now)
  full = full + math.min(tonumber(ARGV[4]), burst) * per
  local wait = full - now - burst * per
  if wait > 0 then return {text(wait)} end
  if full > now then call('SET', key, text(full), 'PX', text(math.ceil((full - now) / 1000))) end
  return {'0'}
end

return act[ARGV[1]]()
