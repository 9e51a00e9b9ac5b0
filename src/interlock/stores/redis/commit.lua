-- One commit: compare all, then write all.
-- KEYS: layout, rows, names, due, expiry, listed.
-- ARGV: the layout, whether the caller has seen this shard written ('1' or ''), and for each change: the row, the version
-- it must be at ('' for any), and its new value, '-' to delete it, or '' to do nothing to it.
-- Answers 1, 0 when a version differs, or why nothing was done.
local layout, rows, names = KEYS[1], KEYS[2], KEYS[3]
local indexes = {due = KEYS[4], expiry = KEYS[5], listed = KEYS[6]}

local wrong, written = newer(layout, ARGV[1])
if wrong then
  return wrong
end
if ARGV[2] == '1' and not written then
  return 'gone'
end

local before = {}
local puts = false
for at = 3, #ARGV, 3 do
  local field = ARGV[at]
  local row = redis.call('HGET', rows, field)
  local version = '0'
  if row then
    before[at] = entries(field, row)
    if not before[at] then
      return 'damaged ' .. field
    end
    version = before[at].version
  end
  if ARGV[at + 1] ~= '' and ARGV[at + 1] ~= version then
    return 0
  end
  puts = puts or #ARGV[at + 2] > 1
end

-- A script that fails is not undone. So all that can fail does so before anything is written, in commands that do
-- nothing: for want of memory (which is looked at before the first write only), because this is a replica, the disk is
-- full, the user may not write, or a key is somebody else's.
if puts then
  redis.call('ZADD', names, 'XX', 0, '')
end
for at = 3, 6 do
  redis.call('ZREM', KEYS[at], '')
end
redis.call('HDEL', rows, '')

if puts and not written then
  redis.call('SET', layout, ARGV[1])
end
for at = 3, #ARGV, 3 do
  if #ARGV[at + 2] > 1 then
    redis.call('HSET', rows, ARGV[at], ARGV[at + 2])
  end
end

for at = 3, #ARGV, 3 do
  local change = ARGV[at + 2]
  if change ~= '' then
    local field = ARGV[at]
    local old = before[at] or {}
    local new = {}
    if change ~= '-' then
      new = entries(field, change)
    end
    if not new.version and old.version then
      redis.call('HDEL', rows, field)
      redis.call('ZREM', names, field)
    elseif new.version and not old.version then
      redis.call('ZADD', names, 0, field)
    end
    for name, index in pairs(indexes) do
      if old[name] ~= new[name] then
        if old[name] then
          redis.call('ZREM', index, old[name])
        end
        if new[name] then
          redis.call('ZADD', index, 0, new[name])
        end
      end
    end
  end
end
return 1
