-- A set of recent items is one sorted set, so that it is forgotten whole. Each
-- member is 'm' and the item's. A mark with the score -1, below every item, is
-- 'f' (filling) or 'c' (complete), the server's replication id, a slash, and the
-- nonce of its Begin. A restart or a fail-over changes the replication id: what
-- was kept before may lack touches, so it counts as absent.
--
-- KEYS: the set. ARGV: what to do, then what that needs.
local set, call = KEYS[1], redis.call

local function server()
  local ok, info = pcall(call, 'INFO', 'replication')
  return ok and string.match(info, 'master_replid:(%x+)') or ''
end

-- The mark's kind and nonce, or nothing if the set is absent or outlived.
local function mark()
  local low = call('ZRANGE', set, '0', '0', 'WITHSCORES')
  if #low == 0 then return nil end
  local kind, of, nonce = string.match(low[1], '^([fc])(%x*)/(%x+)$')
  if not kind or tonumber(low[2]) ~= -1 or of ~= server() then
    call('DEL', set)
    return nil
  end
  return kind, nonce, low[1]
end

local function young(ttl) -- no write at every look
  if call('PTTL', set) < tonumber(ttl) / 2 then call('PEXPIRE', set, ttl) end
end

local act = {}

-- touch: score, member
function act.touch()
  if mark() then call('ZADD', set, 'GT', ARGV[2], ARGV[3]) end
  return 'ok'
end

-- begin: time to live, nonce
function act.begin()
  if not mark() then call('ZADD', set, '-1', 'f' .. server() .. '/' .. ARGV[3]) end
  young(ARGV[2])
  return 'ok'
end

-- fill: time to live, nonce of the part before ('' for the first), '1' if the
-- last part, then score and member of each. The answer: the nonce, or ''.
function act.fill()
  local kind, nonce, whole = mark()
  if not kind or (ARGV[3] ~= '' and ARGV[3] ~= nonce) then return '' end
  for from = 5, #ARGV, 1000 do
    call('ZADD', set, 'GT', unpack(ARGV, from, math.min(from + 999, #ARGV)))
  end
  if ARGV[4] == '1' and kind == 'f' then
    call('ZADD', set, '-1', 'c' .. string.sub(whole, 2))
    call('ZREM', set, whole)
  end
  young(ARGV[2])
  return nonce
end

-- Lua's own comparison goes by the server's language.
local function below(a, b)
  local n = math.min(#a, #b)
  for i = 1, n do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- How many come before or at an item: those with a higher score, and of those
-- with the same the ones that are not below it.
local function place(score, member)
  local has = call('ZSCORE', set, member)
  if has and tonumber(has) == tonumber(score) then
    return call('ZREVRANK', set, member) + 1
  end
  local low = call('ZCOUNT', set, '(' .. score, '+inf')
  local high = low + call('ZCOUNT', set, score, score)
  while low < high do
    local mid = math.floor((low + high) / 2)
    local at = string.format('%d', mid)
    if below(call('ZREVRANGE', set, at, at)[1], member) then high = mid else low = mid + 1 end
  end
  return low
end

-- top: time to live, most, then score and member of the item before, if any.
-- The answer: 'filled', then member and score of each; or nothing.
function act.top()
  if mark() ~= 'c' then return {} end
  young(ARGV[2])
  local from = ARGV[4] and place(ARGV[4], ARGV[5]) or 0
  local to = math.min(from + tonumber(ARGV[3]), call('ZCARD', set) - 1) - 1
  local out = {'filled'}
  if to >= from then
    local got = call('ZREVRANGE', set, string.format('%d', from), string.format('%d', to), 'WITHSCORES')
    for i = 1, #got do out[i + 1] = got[i] end
  end
  return out
end

return act[ARGV[1]]()
