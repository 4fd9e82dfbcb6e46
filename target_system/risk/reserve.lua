-- Counts an order in, unless that breaches a limit.
-- KEYS: the account's exposures (hash <symbol>:position, :buy, :sell), its reservations (hash name -> symbol side lots
-- until), what it sent within the second (hash second, notional).
-- ARGV: name, symbol, side, lots, notional, the limits of position and of notional a second, how long to hold (ms).
-- Gives nothing where the order may go, else position, open buy, open sell (with reservations) and what was sent.
local name, symbol, side, lots, notional = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('HEXISTS', KEYS[2], name) == 1 then return false end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = redis.call('HMGET', KEYS[1], symbol .. ':position', symbol .. ':buy', symbol .. ':sell')
local position = tonumber(known[1] or '0')
local open = { buy = tonumber(known[2] or '0'), sell = tonumber(known[3] or '0') }
local reserved = redis.call('HGETALL', KEYS[2])
for i = 1, #reserved, 2 do
  local its_symbol, its_side, its_lots, untill = string.match(reserved[i + 1], '(%S+) (%S+) (%S+) (%S+)')
  if tonumber(untill) <= now then
    redis.call('HDEL', KEYS[2], reserved[i])
  elseif its_symbol == symbol then
    open[its_side] = open[its_side] + tonumber(its_lots)
  end
end
local sent = redis.call('HMGET', KEYS[3], 'second', 'notional')
local so_far = sent[1] == time[1] and tonumber(sent[2]) or 0

local worst = (side == 'buy' and position or -position) + open[side] + lots
if worst > tonumber(ARGV[6]) or so_far + notional > tonumber(ARGV[7]) then
  return { position, open.buy, open.sell, so_far }
end
redis.call('HSET', KEYS[2], name, string.format('%s %s %.0f %.0f', symbol, side, lots, now + tonumber(ARGV[8])))
redis.call('HSET', KEYS[3], 'second', time[1], 'notional', string.format('%.0f', so_far + notional))
return false
