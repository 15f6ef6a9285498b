-- One page of a partition. KEYS: the values, the order. ARGV: 'f' or 'b' (the
-- direction), the bounds in that direction as ZRANGEBYLEX takes them, the most
-- entries, the most bytes. The answer: the version, '1' if the range may go on,
-- then key, value, key, value. The first entry comes however long it is.
local values, order = KEYS[1], KEYS[2]
local most, bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local by = ARGV[1] == 'f' and 'ZRANGEBYLEX' or 'ZREVRANGEBYLEX'
local keys = redis.call(by, order, ARGV[2], ARGV[3], 'LIMIT', '0', ARGV[4])
local out = {redis.call('HGET', values, '') or '', #keys < most and '0' or '1'}
local from = 1
while from <= #keys do
  local to = math.min(from + 15, #keys)
  local got = redis.call('HMGET', values, unpack(keys, from, to))
  for i = from, to do
    local v = got[i - from + 1]
    if not v then
      return redis.error_reply('DAMAGED a key without its value')
    end
    bytes = bytes - #keys[i] - #v
    if bytes < 0 and i > 1 then
      out[2] = '1'
      return out
    end
    out[#out + 1] = keys[i]
    out[#out + 1] = v
  end
  from = to + 1
end
return out
