-- What the indexes hold of a row, by what the row itself says; nothing when its head cannot be read.
-- A row is `version wake_at expires_at length-of-kind length-of-rank ` and then kind, rank and body.
local function entries(field, row)
  local version, wake, expires, kind, rank, at = string.match(row, '^(%d+) (%d*) (%d*) (%d*) (%d+) ()')
  if not version then
    return nil
  end
  local found = {version = version}
  if wake ~= '' then
    found.due = wake .. '\0' .. field
  end
  if expires ~= '' then
    found.expiry = expires .. '\0' .. field
  end
  if kind ~= '' then
    local place = string.sub(row, at, at + tonumber(kind) + tonumber(rank) - 1)
    found.listed = string.format('%04d', tonumber(kind)) .. place .. '\0' .. field
  end
  return found
end

-- Which layout the shard is written in, if it is not the one that this script knows.
local function newer(layout, known)
  local found = redis.call('GET', layout)
  if found and found ~= known then
    return 'newer ' .. found
  end
  return nil, found
end
