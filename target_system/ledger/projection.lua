-- Applies commands to positions, each sequence number at most once.
-- KEYS: watermark (every number up to it is applied), beyond (the set of those applied above it).
-- ARGV: one list in MessagePack: for each command its sequence number, the number n of its deltas, then n times account, symbol, lots, cash,
-- these as text: a number here is a float.
local first = tonumber(redis.call('GET', KEYS[1]) or '0')
local mark = first
local pending = redis.call('SCARD', KEYS[2])
local given = cmsgpack.unpack(ARGV[1])
local i, count = 1, #given
while i <= count do
  local sequence, n = given[i], given[i + 1]
  i = i + 2
  local new = false
  if sequence == mark + 1 then
    mark, new = sequence, true
    while pending > 0 and redis.call('SREM', KEYS[2], mark + 1) == 1 do
      mark, pending = mark + 1, pending - 1
    end
  elseif sequence > mark then
    new = redis.call('SADD', KEYS[2], sequence) == 1
    if new then pending = pending + 1 end
  end
  if new then
    for d = i, i + 4 * n - 1, 4 do
      local key, symbol = 'position:' .. given[d], given[d + 1]
      redis.call('HINCRBY', key, symbol, given[d + 2])
      redis.call('HINCRBY', key, symbol .. ':cash', given[d + 3])
    end
  end
  i = i + 4 * n
end
if mark ~= first then redis.call('SET', KEYS[1], string.format('%.0f', mark)) end
return mark
