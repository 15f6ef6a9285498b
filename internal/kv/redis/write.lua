-- Applies the batches of one partition in their order, each whole or not at
-- all. KEYS: the values (a hash), the order (a sorted set). ARGV: the new
-- version of the partition, then for each batch
--   conditions, sets, deletions (counts)
--   a condition: '=' key value, or '-' key
--   a set: key value
--   a deletion: key
-- The answer has a character a batch: '1' done, '0' a condition does not hold.
local values, order = KEYS[1], KEYS[2]
local call, arg, at, chunk = redis.call, ARGV, 2, 500
local answer, written = {}, false

local function holds(n)
  local yes = true
  for _ = 1, n do
    local have = call('HGET', values, arg[at + 1])
    if arg[at] == '=' then
      yes = yes and have == arg[at + 2]
      at = at + 3
    else
      yes = yes and not have
      at = at + 2
    end
  end
  return yes
end

local function set(n)
  local from, last = at, at + 2 * n - 1
  while from <= last do
    local to = math.min(from + 2 * chunk - 1, last)
    if call('HSET', values, unpack(arg, from, to)) > 0 then
      local new = {}
      for i = from, to, 2 do
        new[#new + 1] = '0'
        new[#new + 1] = arg[i]
      end
      call('ZADD', order, unpack(new))
    end
    from = to + 1
  end
end

local function delete(n)
  local from, last = at, at + n - 1
  while from <= last do
    local to = math.min(from + chunk - 1, last)
    if call('HDEL', values, unpack(arg, from, to)) > 0 then
      call('ZREM', order, unpack(arg, from, to))
    end
    from = to + 1
  end
end

while at <= #arg do
  local conds, sets, dels = tonumber(arg[at]), tonumber(arg[at + 1]), tonumber(arg[at + 2])
  at = at + 3
  local yes = holds(conds)
  if yes then
    if sets > 0 then set(sets) end
    at = at + 2 * sets
    if dels > 0 then delete(dels) end
    at = at + dels
    written = written or sets + dels > 0
  else
    at = at + 2 * sets + dels
  end
  answer[#answer + 1] = yes and '1' or '0'
end
-- The version is a field whose key no caller can have. A partition without
-- entries leaves nothing behind.
if written then
  if call('EXISTS', order) == 1 then
    call('HSET', values, '', arg[1])
  else
    call('DEL', values)
  end
end
return table.concat(answer)
