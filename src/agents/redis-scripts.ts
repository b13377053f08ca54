/**
 * The steps of the protocol that must be atomic, in Lua. KEYS[1] is the hash of the run, KEYS[2] that of its results. Fields
 * of a run: plan, coordinator, coordinatorAt, startAt, stop, next (segments given away), and for segment N o:N (owner), s:N
 * (seen at), r:N (report), l:N (lost). a:AGENT is the segment of an agent. Times are in ms of the server's clock.
 */
const NOW = `
local time = redis.call('TIME')
local now = string.format('%.3f', time[1] * 1000 + time[2] / 1000)
`;

/** ARGV: plan, coordinator, lease, keep, count. */
export const OPEN = `${NOW}
local plan = redis.call('HGET', KEYS[1], 'plan')
if plan then
  if plan ~= ARGV[1] then return 'other' end
  local seen = tonumber(redis.call('HGET', KEYS[1], 'coordinatorAt') or 0)
  if redis.call('HGET', KEYS[1], 'coordinator') ~= ARGV[2] and tonumber(now) - seen <= tonumber(ARGV[3]) then
    return 'taken'
  end
  redis.call('HSET', KEYS[1], 'coordinator', ARGV[2], 'coordinatorAt', now)
  return 'adopted'
end
redis.call('HSET', KEYS[1], 'plan', ARGV[1], 'coordinator', ARGV[2], 'coordinatorAt', now, 'next', 0, 'count', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'created'
`;

/** ARGV: keep, then fields and values. */
export const RESTORE = `${NOW}
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'coordinatorAt', now, unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`;

/** ARGV: keep. */
export const LOOK = `${NOW}
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSET', KEYS[1], 'coordinatorAt', now)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return {now, redis.call('HGETALL', KEYS[1]), redis.call('HKEYS', KEYS[2])}
`;

/** ARGV: agent, keep. */
export const CLAIM = `${NOW}
local plan, count, stop = unpack(redis.call('HMGET', KEYS[1], 'plan', 'count', 'stop'))
if not plan or not count or stop then return false end
if redis.call('HEXISTS', KEYS[1], 'a:' .. ARGV[1]) == 1 then return false end
local index = redis.call('HINCRBY', KEYS[1], 'next', 1)
if index > tonumber(count) then return false end
redis.call('HSET', KEYS[1], 'a:' .. ARGV[1], index, 'o:' .. index, ARGV[1], 's:' .. index, now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {plan, index}
`;

/** ARGV: index, agent, report, keep. */
export const BEAT = `${NOW}
if redis.call('HGET', KEYS[1], 'o:' .. ARGV[1]) ~= ARGV[2] then return false end
redis.call('HSET', KEYS[1], 's:' .. ARGV[1], now, 'r:' .. ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local found = redis.call('HMGET', KEYS[1], 'startAt', 'stop', 'l:' .. ARGV[1], 'coordinatorAt')
return {now, found[1] or '', found[2] or '', found[3] or '', found[4] or now}
`;

/** ARGV: index, agent, result, keep. */
export const DELIVER = `${NOW}
local owner = redis.call('HGET', KEYS[1], 'o:' .. ARGV[1])
if not owner then return 'unknown' end
if owner ~= ARGV[2] or redis.call('HEXISTS', KEYS[1], 'l:' .. ARGV[1]) == 1 then return 'refused' end
redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[1], 's:' .. ARGV[1], now)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 'taken'
`;

/**
 * Removes what BullMQ keeps of a queue that has no job. KEYS[1] is the prefix of its keys. Other runs may have jobs in it, so
 * it is not obliterated.
 */
export const TIDY = `
local base = KEYS[1] .. ':'
for _, name in ipairs({'wait', 'active', 'paused', 'prioritized', 'delayed', 'waiting-children'}) do
  if redis.call('EXISTS', base .. name) == 1 then return 0 end
end
for _, name in ipairs({'meta', 'id', 'events', 'marker', 'pc', 'stalled', 'stalled-check', 'limiter', 'completed', 'failed'}) do
  redis.call('DEL', base .. name)
end
return 1
`;
