-- Writes points of several hashes as one step: all of them, or none when the rule forbids one.
-- KEYS: the hashes. ARGV: the rule (last, max, error), then for each hash how many points, and their times and values.
-- Returns {added, same, changed}; or {-1, hash, point, what stands} for a second value that the rule forbids, and
-- {-2, hash, point, what stands} for one that is no number.
local rule, at = ARGV[1], 2
local added, same, changed = 0, 0, 0
local sets = {}
for k = 1, #KEYS do
  local count = tonumber(ARGV[at])
  local times, set = {}, {}
  for i = 1, count do
    times[i] = ARGV[at + 2 * i - 1]
  end
  local standing = redis.call('HMGET', KEYS[k], unpack(times))
  for i = 1, count do
    local value, old = ARGV[at + 2 * i], standing[i]
    local write = false
    if not old then
      added = added + 1
      write = true
    elseif old == value then
      same = same + 1
    else
      local a, b = tonumber(old), tonumber(value)
      if a ~= nil and (a == b or (a ~= a and b ~= b)) then
        same = same + 1
      elseif rule == 'error' then
        return {-1, k, i, old}
      elseif rule == 'last' then
        changed = changed + 1
        write = true
      elseif a == nil then
        return {-2, k, i, old}
      else
        changed = changed + 1
        write = a ~= a or b > a
      end
    end
    if write then
      set[#set + 1] = times[i]
      set[#set + 1] = value
    end
  end
  sets[k] = set
  at = at + 1 + 2 * count
end
for k = 1, #KEYS do
  if #sets[k] > 0 then
    redis.call('HSET', KEYS[k], unpack(sets[k]))
  end
end
return {added, same, changed}
