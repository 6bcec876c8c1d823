-- Takes the keys of a tier for it, as one step, unless some of them may be keys of another tier.
-- KEYS: the hash of claims, the tiers by their patterns of keys. ARGV: what stands before and behind a series' name in the keys,
-- the tier, the table of its points (or nothing), and `take`, or `look` when nothing is to be written.
-- Returns nothing, or {pattern, owner} of the other tier.
local prefix, suffix, tier, tab, how = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local mine, owner = prefix .. '{name}' .. suffix, tier
if tab ~= '' then
  owner = tier .. ' of ' .. tab
end
local function begins(text, with)
  return string.sub(text, 1, #with) == with
end
local function ends(text, with)
  return with == '' or string.sub(text, -#with) == with
end
local claims, standing = redis.call('HGETALL', KEYS[1]), nil
for i = 1, #claims, 2 do
  local pattern, other = claims[i], claims[i + 1]
  if pattern == mine then
    standing = other
    if other ~= owner and other ~= tier and not (tab == '' and begins(other, tier .. ' of ')) then
      return {pattern, other}
    end
  else
    local first, last = string.find(pattern, '{name}', 1, true)
    if first then
      local before, behind = string.sub(pattern, 1, first - 1), string.sub(pattern, last + 1)
      if (begins(before, prefix) or begins(prefix, before)) and (ends(behind, suffix) or ends(suffix, behind)) then
        return {pattern, other}
      end
    end
  end
end
if how == 'take' and (not standing or (standing == tier and owner ~= tier)) then
  redis.call('HSET', KEYS[1], mine, owner)
end
return {}
