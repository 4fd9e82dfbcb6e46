-- Takes in what a run of sequence numbers changed; a run that is known already changes nothing.
-- KEYS: the last sequence number that is in.
-- ARGV: first, last, how many exposures; for each account, symbol, position, open buy, open sell; then account and name
-- of each order that is on its way no more. Gives 0 where something before the run is lacking.
local mark = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > mark + 1 then return 0 end
if tonumber(ARGV[2]) <= mark then return 1 end
local last_exposure = 3 + 5 * tonumber(ARGV[3])
for i = 4, last_exposure, 5 do
  local symbol = ARGV[i + 1]
  redis.call('HSET', 'risk:exposure:' .. ARGV[i], symbol .. ':position', ARGV[i + 2], symbol .. ':buy', ARGV[i + 3],
    symbol .. ':sell', ARGV[i + 4])
end
for i = last_exposure + 1, #ARGV, 2 do redis.call('HDEL', 'risk:reserved:' .. ARGV[i], ARGV[i + 1]) end
redis.call('SET', KEYS[1], ARGV[2])
return 1
