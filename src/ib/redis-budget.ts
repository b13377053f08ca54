import { randomUUID } from 'node:crypto';
import type { SharedBudget } from './shared-budget.js';

/** Evaluates a Lua script on a Redis server, as `EVAL` does. */
export type RedisEval = (
  script: string,
  keys: readonly string[],
  args: readonly string[],
) => Promise<unknown>;

/**
 * Each window is a sorted set of the messages sent within it, by the time of the server. A script is atomic: either all
 * windows have room, and all take it, or none does. After the clock of the server was set back, times lie in the future:
 * they count as now.
 */
const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
for i, key in ipairs(KEYS) do
  local weight, most, window = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  for _, late in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. now, '+inf')) do redis.call('ZADD', key, now, late) end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  local used = redis.call('ZCARD', key)
  if used > 0 and used + weight > most then
    local last = math.min(used, used + weight - most) - 1
    local entry = redis.call('ZRANGE', key, last, last, 'WITHSCORES')
    return { i, tostring(tonumber(entry[2]) + window - now) }
  end
end
for i, key in ipairs(KEYS) do
  for n = 1, tonumber(ARGV[3 * i - 1]) do redis.call('ZADD', key, now, ARGV[1] .. ':' .. n) end
  redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[3 * i + 1])))
end
return { 0, '0' }
`;

/**
 * A budget on a Redis server, for processes on any machine. With ioredis:
 * `redisBudget((script, keys, args) => redis.eval(script, keys.length, ...keys, ...args), { name: 'gw1:4001' })`;
 * with node-redis: `(script, keys, args) => redis.eval(script, { keys, arguments: args })`.
 *
 * `name`: of the gateway; processes with the same name share. Needs a server of version 5 or later.
 */
export function redisBudget(evaluate: RedisEval, { name }: { readonly name: string }): SharedBudget {
  return {
    async take(claims) {
      // In braces, so that a cluster keeps them together.
      const keys = claims.map(({ key }) => `{poolctl:ib:${name}}:${key}`);
      const args = claims.flatMap(({ weight, most, windowMs }) => [weight, most, windowMs].map(String));
      const [full, waitMs] = (await evaluate(SCRIPT, keys, [randomUUID(), ...args])) as [number, string];
      const claim = claims[Number(full) - 1];
      return claim === undefined ? null : { key: claim.key, waitMs: Number(waitMs) };
    },
  };
}
