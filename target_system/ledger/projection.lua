-- Applies commands to positions, each sequence number at most once.
-- KEYS: watermark (every number up to it is applied), beyond (the set of those applied above it).
-- ARGV: for each command its sequence number, the number n of its deltas, then n times account, symbol, lots, cash.
local first = tonumber(redis.call('GET', KEYS[1]) or '0')
local mark = first
local pending = redis.call('SCARD', KEYS[2])
local i, count = 1, #ARGV
while i <= count do
  local sequence, n = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
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
      local key, symbol = 'position:' .. ARGV[d], ARGV[d + 1]
      redis.call('HINCRBY', key, symbol, ARGV[d + 2])
      redis.call('HINCRBY', key, symbol .. ':cash', ARGV[d + 3])
    end
  end
  i = i + 4 * n
end
if mark ~= first then redis.call('SET', KEYS[1], string.format('%.0f', mark)) end
return mark
