-- Rows by name, with their names, as they are at one moment.
-- KEYS: rows, names. ARGV: the bounds to start and to end at, how many at most, and '1' to go backwards.
local keys
if ARGV[4] == '1' then
  keys = redis.call('ZREVRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
else
  keys = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
end
local found = {}
for first = 1, #keys, 1000 do
  local values = redis.call('HMGET', KEYS[1], unpack(keys, first, math.min(first + 999, #keys)))
  for at = 1, #values do
    found[#found + 1] = values[at]
  end
end
return {keys, found}
