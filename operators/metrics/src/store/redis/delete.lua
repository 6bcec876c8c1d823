-- Deletes points that are there with exactly these values, as one step.
-- KEYS: the hashes. ARGV: for each hash how many points, and their times and values. Returns {how many went}.
local at, removed = 1, 0
for k = 1, #KEYS do
  local count = tonumber(ARGV[at])
  local times, gone = {}, {}
  for i = 1, count do
    times[i] = ARGV[at + 2 * i - 1]
  end
  local standing = redis.call('HMGET', KEYS[k], unpack(times))
  for i = 1, count do
    local value, old = ARGV[at + 2 * i], standing[i]
    if old then
      local equal = old == value
      if not equal then
        local a, b = tonumber(old), tonumber(value)
        equal = a ~= nil and (a == b or (a ~= a and b ~= b))
      end
      if equal then
        gone[#gone + 1] = times[i]
      end
    end
  end
  if #gone > 0 then
    removed = removed + redis.call('HDEL', KEYS[k], unpack(gone))
  end
  at = at + 1 + 2 * count
end
return {removed}
