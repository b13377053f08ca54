import { describe, expect, it } from 'vitest';
import { judgeThresholds, parseThreshold } from '../../src/loadtest/thresholds.js';
import { resultLike } from './results.js';

/** 1,000 iterations: responses of 1 to 990 ms, 10 failures, 4 of which were time-outs of the pool; in 10 s. */
const MEASURED = resultLike({
  responsesMs: Array.from({ length: 990 }, (_, i) => i + 1),
  waitShare: 0.25,
  errors: { ERR_POOL_TIMEOUT: 4, SQLITE_BUSY: 6 },
  elapsedMs: 10_000,
});

function complaintAbout(expression: string): string {
  try {
    parseThreshold(expression);
  } catch (error) {
    return String(error);
  }
  throw new Error(`${expression} was read`);
}

describe('a threshold', () => {
  it.each([
    ['p99<985ms', true],
    ['p99<900ms', false],
    ['p99<=1s', true],
    [' p99 < 1 s ', true],
    ['response.p99<985ms', true],
    ['p50>=495ms', true],
    ['p99.9>980ms', true],
    ['p99.99>980ms', true],
    ['p999>980ms', true],
    ['p99.9>1s', false],
    ['p37.5<380ms', true],
    ['p100<=990ms', true],
    ['mean<496ms', true],
    ['mean<495ms', false],
    ['min<=1ms', true],
    ['max>989ms', true],
    ['wait.p99<250ms', true],
    ['wait.p99<240ms', false],
    ['wait.mean<125ms', true],
    ['service.p95<720ms', true],
    ['service.p95<600ms', false],
    ['success>=99%', true],
    ['success>99%', false],
    ['success>=0.99', true],
    ['throughput>50/s', true],
    ['throughput>=100/s', false],
    ['throughput>5000/m', true],
    ['errors<=1%', true],
    ['errors<1%', false],
    ['errors<=10', true],
    ['errors<=0', false],
    ['timeouts<=4', true],
    ['timeouts<=0', false],
    ['timeouts<0.5%', true],
    ['iterations>=990', true],
    ['waiting<=7', true],
    ['overflow<1', false],
    ['overflow<=1', true],
    ['overflow>=1', true],
    ['success>=0.5', true],
    ['success>=1', false],
    ['errors>0.99%', true],
    ['timeouts>=0.4%', true],
    ['timeouts>0.4%', false],
    ['created<=2', true],
  ])('%s is judged %s', (expression, passed) => {
    const [result] = judgeThresholds([parseThreshold(expression)], MEASURED);
    expect(result).toMatchObject({ passed, expression: expression.trim() });
  });

  it('on what was not measured has not passed', () => {
    const nothing = resultLike({ responsesMs: [], waitShare: 0, errors: {}, elapsedMs: 0 });
    for (const expression of ['p99<1h', 'wait.p50<1h', 'success>=0%', 'errors<1%']) {
      const [result] = judgeThresholds([parseThreshold(expression)], nothing);
      expect(result).toMatchObject({ actual: null, passed: false });
    }
  });

  it('counts failures among all that ended, be they as many as the successes', () => {
    const half = resultLike({ responsesMs: [1], waitShare: 0, errors: { E: 1 }, elapsedMs: 1000 });
    expect(judgeThresholds([parseThreshold('errors<=50%')], half)).toMatchObject([{ actual: 0.5 }]);
  });

  it('on a pool that has no figures has not passed', () => {
    const withoutPool = { ...MEASURED, pool: { ...MEASURED.pool, figures: null } };
    for (const expression of ['waiting>=0', 'overflow>=0', 'created>=0']) {
      expect(judgeThresholds([parseThreshold(expression)], withoutPool)).toMatchObject([
        { actual: null, passed: false },
      ]);
    }
  });

  it.each([
    ['', 'is not a threshold; write something like p99<250ms or success>=99%'],
    ['p99', 'is not a threshold'],
    ['<250ms', 'is not a threshold'],
    ['p99<', 'is not a threshold'],
    ['p99=250ms', "compares with '='; use one of < <= > >="],
    ['p99=<250ms', "compares with '=<'"],
    ['p99<250', "has a wrong limit: '250' has no unit; write 250ms or 250s"],
    ['p99<fast', "has a wrong limit: 'fast' is not a duration"],
    ['p99<-5ms', 'is negative'],
    ['p0<1ms', "is about 'p0', which is not measured"],
    ['p101<1ms', "is about 'p101', which is not measured"],
    ['pool.p99<1ms', "is about 'pool.p99', which is not measured; known are mean"],
    ['p99ms<1ms', "is about 'p99ms', which is not measured"],
    ['xp99<1ms', "is about 'xp99', which is not measured"],
    ['means<1ms', "is about 'means', which is not measured"],
    ['success>=1.5', "has a wrong limit: '1.5' has no unit; write 1.5%"],
    ['success>=much', 'has a wrong limit'],
    ['latency<1ms', "is about 'latency', which is not measured"],
    ['success>=99', "has a wrong limit: '99' has no unit; write 99%"],
    ['success>=120%', 'is too high'],
    ['throughput>500', "has a wrong limit: '500' is not a rate; write something like 50/s"],
    ['errors<0.5', "has a wrong limit: '0.5' is not a whole number"],
    ['errors<120%', 'is too high'],
    ['toString<1', "is about 'toString', which is not measured"],
  ])('%j is refused: %s', (expression, message) => {
    expect(() => parseThreshold(expression)).toThrow(message);
    expect(() => parseThreshold(expression)).toThrow(expect.objectContaining({ code: 'ERR_VALUE' }));
  });

  it('can be made of every name that is offered', () => {
    const names = /known are (.+?) \(each also as wait\.p99 or service\.p99\), (.+)$/.exec(
      complaintAbout('speed>1'),
    );
    const offered = `${names?.[1]}, wait.p99, service.p95, ${names?.[2]}`.split(', ');
    expect(offered.length).toBeGreaterThan(10);
    for (const name of offered) {
      const limit =
        name === 'throughput' ? '1/s' : name === 'success' ? '1%' : /p\d|m(ea|i|a)/.test(name) ? '1ms' : '1';
      expect(parseThreshold(`${name}>=${limit}`).expression).toContain(name);
    }
  });
});
