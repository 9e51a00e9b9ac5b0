-- Removes rows that have expired, earliest first.
-- KEYS: layout, rows, names, due, expiry, listed. ARGV: the layout, the first instant that stays, and how many at most.
-- Answers how many were removed, or why nothing was done.
local layout, rows, names, due, expiry, listed = unpack(KEYS)

local wrong = newer(layout, ARGV[1])
if wrong then
  return wrong
end

local removed = 0
for _, member in ipairs(redis.call('ZRANGEBYLEX', expiry, '-', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])) do
  local field = string.sub(member, #ARGV[2] + 2)
  local row = redis.call('HGET', rows, field)
  local old = row and entries(field, row)
  -- A row whose head is damaged stays: whoever reads it hears of it, and nobody knows what else speaks of it.
  if old then
    redis.call('HDEL', rows, field)
    redis.call('ZREM', names, field)
    redis.call('ZREM', expiry, member)
    if old.due then
      redis.call('ZREM', due, old.due)
    end
    if old.listed then
      redis.call('ZREM', listed, old.listed)
    end
    removed = removed + 1
  end
end
return removed
