-- Takes the keys of a tier for it, as one step, unless some of them may be keys of another tier.
-- KEYS: the hash of claims: by patterns of keys (`1m:{name}`) the tiers, by the same with `{lake}` the lakes that they are of.
-- ARGV: what stands before and behind a series' name in the keys, the tier, the table of its points (or nothing), the id of its
-- lake (or nothing) and the text that is kept of that, and `take`, or `look` when nothing is to be written.
-- Returns nothing, or {pattern, owner, lake or nothing} of the other tier.
local prefix, suffix, tier, tab, id, text, how = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
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
local claims, lakes, standing = {}, {}, nil
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local first, last = string.find(all[i], '{lake}', 1, true)
  if first then
    lakes[string.sub(all[i], 1, first - 1) .. '{name}' .. string.sub(all[i], last + 1)] = all[i + 1]
  else
    claims[#claims + 1] = {all[i], all[i + 1]}
  end
end
for _, claim in ipairs(claims) do
  local pattern, other = claim[1], claim[2]
  local lake = lakes[pattern] or ''
  if pattern == mine then
    standing = other
    local is_tier = other == owner or other == tier or (tab == '' and begins(other, tier .. ' of '))
    local is_lake = lake == '' or (id ~= '' and (lake == id or begins(lake, id .. ' ')))
    if not (is_tier and is_lake) then
      return {pattern, other, lake}
    end
  else
    local first, last = string.find(pattern, '{name}', 1, true)
    if first then
      local before, behind = string.sub(pattern, 1, first - 1), string.sub(pattern, last + 1)
      if (begins(before, prefix) or begins(prefix, before)) and (ends(behind, suffix) or ends(suffix, behind)) then
        return {pattern, other, lake}
      end
    end
  end
end
if how == 'take' then
  if not standing or (standing == tier and owner ~= tier) then
    redis.call('HSET', KEYS[1], mine, owner)
  end
  -- What is left of a lake whose tier is gone says nothing.
  if id ~= '' and (not standing or not lakes[mine]) then
    redis.call('HSET', KEYS[1], prefix .. '{lake}' .. suffix, text)
  end
end
return {}
