import { ts } from 'ts-morph';
import { describe, expect, it } from 'vitest';
import { dropTemporaries, insideOf, withFewerFacts } from '../../src/audit/flow/frames.js';
import type { Call, Test } from '../../src/audit/flow/graph.js';
import {
  isWithin,
  keyName,
  lastSegment,
  ownerOf,
  property,
  remainder,
  rootOf,
} from '../../src/audit/flow/place.js';
import { raiseOf } from '../../src/audit/flow/raises.js';
import {
  agrees,
  assign,
  counted,
  decide,
  factOf,
  keyOf,
  START_STATE,
  type State,
  withFact,
  withLeaseFact,
  withoutLeaseFacts,
} from '../../src/audit/flow/state.js';
import type { RaiseContext } from '../../src/audit/flow/types.js';

const C = 'f|client@1';
const X = 'f|x@2';
const Y = 'f|y@3';

/** A path on which the lease is held by these places, and so much is known of others. */
const held = (facts: Readonly<Record<string, string>> = {}, holders: readonly string[] = [C]): State => ({
  ...START_STATE,
  status: 'held',
  holders,
  facts: new Map(Object.entries(facts)),
});
const KNOWLEDGE = {
  releasers: new Set(['release']),
  interest: () => 9,
  isOf: (type: string) => type === 'Client',
};

describe('what a test answers on a path', () => {
  const answer = (state: State, test: Test): boolean | null => {
    const { yes, no } = decide(state, test, KNOWLEDGE);
    return yes !== null && no !== null ? null : yes !== null;
  };
  const same = (left: string, right: string): Test => ({ kind: 'same', left, right });
  const compare = (left: string, operator: '<' | '<=' | '>' | '>=', right: string): Test => ({
    ...{ kind: 'compare', left, operator, right },
  });

  it.each<[string, State, Test, boolean | null]>([
    ['the lease is something', held(), { kind: 'truthy', place: C }, true],
    ['the lease is not nothing', held(), { kind: 'falsy', place: C }, false],
    ['the lease is not null', held(), { kind: 'nullish', place: C }, false],
    ['the lease is no text', held(), { kind: 'primitive', place: C }, false],
    ['another place is not known', held(), { kind: 'truthy', place: X }, null],
    ['another place may be a text', held(), { kind: 'primitive', place: X }, null],
    ['what is 0 is false', held({ [X]: '=0' }), { kind: 'truthy', place: X }, false],
    ['what is "" is false', held({ [X]: '=""' }), { kind: 'falsy', place: X }, true],
    ['what is 1 is true', held({ [X]: '=1' }), { kind: 'truthy', place: X }, true],
    ['what is not null may be 0', held({ [X]: '~nonnull' }), { kind: 'truthy', place: X }, null],
    ['what is not null is not null', held({ [X]: '~nonnull' }), { kind: 'nullish', place: X }, false],
    ['what is undefined is nullish', held({ [X]: '=undefined' }), { kind: 'nullish', place: X }, true],
    ['what is false may be null', held({ [X]: '~falsy' }), { kind: 'nullish', place: X }, null],
    [
      'a store that is false is none',
      held({ 'f|als@4.getStore()': '~falsy' }),
      { kind: 'nullish', place: 'f|als@4.getStore()' },
      true,
    ],
    ['what is known to be something is not null', held({ [X]: '=7' }), { kind: 'nullish', place: X }, false],
    ['the lease is an instance', held(), { kind: 'is', place: C, type: null }, true],
    ['the lease is one of its class', held(), { kind: 'is', place: C, type: 'Client' }, true],
    ['the lease is none of another class', held(), { kind: 'is', place: C, type: 'Pool' }, false],
    ['nothing is no instance', held({ [X]: '=null' }), { kind: 'is', place: X, type: null }, false],
    ['another thing may be one', held(), { kind: 'is', place: X, type: null }, null],
    ['the lease has what is asked for', held(), { kind: 'has', place: C, name: 'query' }, true],
    ['an object has the lease in it', held({}, [`${X}.db`]), { kind: 'has', place: X, name: 'db' }, true],
    [
      'an object lacks what it was not given',
      held({ [X]: '={a' }),
      { kind: 'has', place: X, name: 'b' },
      false,
    ],
    ['another thing may have it', held(), { kind: 'has', place: X, name: 'b' }, null],
    ['a place is itself', held(), same(X, X), true],
    ['two names of the lease are the same', held({}, [C, X]), same(C, X), true],
    ['the lease is no other thing', held(), same(C, X), false],
    ['equal numbers are the same', held({ [X]: '=1', [Y]: '=1' }), same(X, Y), true],
    ['other numbers are not', held({ [X]: '=1', [Y]: '=2' }), same(X, Y), false],
    ['two things may be the same', held({ [X]: '={a', [Y]: '={b' }), same(X, Y), null],
    ['a thing is no number', held({ [X]: '={a', [Y]: '=1' }), same(X, Y), false],
    ['what is not known may be anything', held({ [X]: '=1' }), same(X, Y), null],
    ['a flag that nobody set on the lease is not true', held(), same(`${C}.marked`, '=true'), false],
    ['a flag may be false', held(), same(`${C}.marked`, '=false'), null],
    ['an answer of the lease is not known', held(), same(`${C}.ask()`, '=true'), null],
    ['1 < 2', held({ [X]: '=1' }), compare(X, '<', '=2'), true],
    ['2 < 2', held({ [X]: '=2' }), compare(X, '<', '=2'), false],
    ['2 <= 2', held({ [X]: '=2' }), compare(X, '<=', '=2'), true],
    ['3 <= 2', held({ [X]: '=3' }), compare(X, '<=', '=2'), false],
    ['2 > 2', held({ [X]: '=2' }), compare(X, '>', '=2'), false],
    ['-1 > -2', held({ [X]: '=-1' }), compare(X, '>', '=-2'), true],
    ['2 >= 2', held({ [X]: '=2' }), compare(X, '>=', '=2'), true],
    ['1 >= 2', held({ [X]: '=1' }), compare(X, '>=', '=2'), false],
    ['a text is not compared', held({ [X]: '="a"' }), compare(X, '<', '=2'), null],
    ['an open lease says that it is open', held(), { kind: 'truthy', place: `${C}.isOpen` }, true],
    ['an open lease says that it has not ended', held(), { kind: 'truthy', place: `${C}.hasEnded` }, false],
    [
      'a released one says that it has',
      { ...held(), status: 'released' },
      { kind: 'truthy', place: `${C}.hasEnded` },
      true,
    ],
    [
      'a released one says that it is closed',
      { ...held(), status: 'released' },
      { kind: 'truthy', place: `${C}.connected` },
      false,
    ],
    ['it says nothing of other things', held(), { kind: 'truthy', place: `${C}.isFast` }, null],
    ['no lease says nothing', { ...held(), status: 'none' }, { kind: 'truthy', place: `${C}.isOpen` }, null],
    ['what cannot be read is not known', held(), { kind: 'opaque' }, null],
  ])('%s', (_, state, test, expected) => {
    expect(answer(state, test)).toBe(expected);
  });

  it('is learned for the branch that is taken', () => {
    const learned = (test: Test) => {
      const { yes, no } = decide(held(), test, KNOWLEDGE);
      return [yes, no].map((one) => (one === null ? null : factOf(one, X)));
    };
    expect(learned({ kind: 'truthy', place: X })).toEqual(['~truthy', '~falsy']);
    expect(learned({ kind: 'falsy', place: X })).toEqual(['~falsy', '~truthy']);
    expect(learned({ kind: 'nullish', place: X })).toEqual(['=null', '~nonnull']);
    expect(learned(same(X, '=5'))).toEqual(['=5', null]);
    expect(learned({ kind: 'primitive', place: X })).toEqual([null, null]);
  });

  it('is not learned of a place that is tested once', () => {
    const state = held();
    expect(decide(state, { kind: 'truthy', place: X }, { ...KNOWLEDGE, interest: () => 1 })).toEqual({
      yes: state,
      no: state,
    });
  });

  it('makes a path unlikely where it rests on a doubt', () => {
    const { yes, no } = decide(held({ [X]: '=true!' }), { kind: 'truthy', place: X }, KNOWLEDGE);
    expect([yes?.unlikely, no]).toEqual([true, null]);
    expect(decide(held({ [X]: '=true' }), { kind: 'truthy', place: X }, KNOWLEDGE).yes?.unlikely).toBe(false);
  });
});

describe('what is known of places', () => {
  it.each<[string, string | undefined, string, boolean]>([
    ['what is true agrees with being true', '=1', '~truthy', true],
    ['what is true does not agree with being false', '=1', '~falsy', false],
    ['what is true is not null', '=1', '=null', false],
    ['what is false agrees with being null', '=0', '=null', true],
    ['what is false does not agree with being true', '=0', '~truthy', false],
    ['what is true may be another number', '=1', '=2', true],
    ['what is not known agrees with all', undefined, '~falsy', true],
  ])('%s', (_, known, fact, expected) => {
    expect(agrees(known === undefined ? held() : held({ [X]: known }), X, fact)).toBe(expected);
  });

  it('goes with the value to another name, of which it is true as well', () => {
    const linked = assign(held(), Y, X, false, KNOWLEDGE);
    expect(factOf(withFact(linked, Y, '=1'), X)).toBe('=1');
    expect(factOf(withFact(linked, X, '=2'), Y)).toBe('=2');
    const moved = assign(held({ [X]: '=1' }), Y, X, true, KNOWLEDGE);
    expect([factOf(moved, Y), factOf(moved, X)]).toEqual(['=1', null]);
    const unread = assign(held({}), Y, '=1', false, { ...KNOWLEDGE, interest: () => 0 });
    expect(factOf(unread, Y)).toBeNull();
  });

  it('is forgotten where another value is assigned, and of its parts too', () => {
    const state = held({ [X]: '=1', [`${X}.a`]: '=2', [Y]: `&${X}` });
    const after = assign(state, X, '=?', false, KNOWLEDGE);
    expect([factOf(after, X), factOf(after, `${X}.a`)]).toEqual([null, null]);
  });

  it('follows the lease: to other names, into objects, and not out of them again', () => {
    const holders = (target: string, source: string, move = false, from = held()) =>
      assign(from, target, source, move, KNOWLEDGE).holders;
    expect(holders(X, C)).toEqual([C, X]);
    expect(holders(X, C, true)).toEqual([X]);
    expect(holders(`${X}.db`, C)).toEqual([C, `${X}.db`]);
    expect(holders(C, '=null')).toEqual([]);
    expect(holders(Y, `${X}.db`, false, held({}, [`${X}.db`]))).toEqual([`${X}.db`, Y]);
    expect(holders(Y, `${X}.other`, false, held({}, [`${X}.db`]))).toEqual([`${X}.db`]);
    // `const release = client.release`
    expect(holders(X, `${C}.release`)).toEqual([`!${X}`, C].sort());
    expect(holders(X, `${C}.query`)).toEqual([C]);
  });

  it('has the properties that an object was made with, and no others', () => {
    const state = held({ [X]: '={a,b' });
    expect([factOf(state, `${X}.a`), factOf(state, `${X}.c`)]).toEqual([null, '=undefined']);
    const wider = assign(state, `${X}.c`, '=1', false, KNOWLEDGE);
    expect(factOf(wider, X)).toBe('={a,b,c');
    expect(factOf(assign(state, `${X}.[]`, '=1', false, KNOWLEDGE), X)).toBeNull();
    expect(factOf(held({ [X]: '=null' }), `${X}.a`)).toBe('=undefined');
    const linked = held({ [X]: `&${Y}`, [Y]: '={a', [`${Y}.a`]: '=1' });
    expect([factOf(linked, `${X}.a`), factOf(linked, `${X}.b`)]).toEqual(['=1', '=undefined']);
  });

  it('is the same of the lease by each of its names', () => {
    const state = withLeaseFact(held({}, [C, X]), 'open', '=false');
    expect([factOf(state, `${C}.open`), factOf(state, `${X}.open`)]).toEqual(['=false', '=false']);
    expect(factOf(withLeaseFact(state, 'open', '=?'), `${C}.open`)).toBeNull();
    expect(withoutLeaseFacts(state).facts.size).toBe(0);
    const plain = held({ [Y]: '=1' });
    expect(withoutLeaseFacts(plain)).toBe(plain);
  });

  it('counts levels of nesting in fields, from the outermost, up to four', () => {
    const depth = `${X}.depth`;
    const at = (value: string | null, by: number | null, place = depth) =>
      factOf(counted(value === null ? held() : held({ [place]: value }), place, by), place);
    expect([at(null, 1), at(null, -1), at('=1', 1), at('=1', -1)]).toEqual(['=1', '=0', '=2', '=0']);
    expect([at('=4', 1), at('=-4', -1), at('=3', 1), at('=-3', -1)]).toEqual([null, null, '=4', '=-4']);
    expect([at(null, 2), at('=1', null), at('=1', 1, X)]).toEqual([null, null, null]);
  });

  it('tells states apart, whatever the order in which it was learned', () => {
    const one = held({ [X]: '=1', [Y]: '=2' });
    expect(keyOf(one)).toBe(keyOf(held({ [Y]: '=2', [X]: '=1' })));
    const others: State[] = [
      held({ [X]: '=1' }),
      held({ [X]: '=1', [Y]: '=2' }, [C, X]),
      { ...one, status: 'released' },
      { ...one, unlikely: true },
      { ...one, rejecting: true },
      { ...one, pending: true },
      { ...one, leftBehind: true },
    ];
    expect(new Set([one, ...others].map((state) => keyOf(state))).size).toBe(8);
  });
});

describe('places', () => {
  it('are within others by whole names', () => {
    expect([isWithin('a.b', 'a'), isWithin('a', 'a'), isWithin('ab', 'a'), isWithin('a', 'a.b')]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([rootOf('a.b.c'), rootOf('a'), lastSegment('f|ctx@3.tx'), lastSegment('f|ctx@3')]).toEqual([
      'a',
      'a',
      'tx',
      'ctx',
    ]);
    expect([ownerOf('f|x@1.a'), ownerOf('this.a')]).toEqual(['f', null]);
    expect([property('a', 'b c'), property('=?', 'b')]).toEqual(['a.b_c', '=?']);
    expect([keyName('="a"'), keyName('=7'), keyName('=x')]).toEqual(['a', '7', '[]']);
  });

  it.each([
    ['a', 'a', ''],
    ['a.b', 'a', '.b'],
    ['a', 'a.b', null],
    ['a.[]', 'a.0', ''],
    ['a.0.x', 'a.[]', '.x'],
    ['a.0', 'a.1', null],
    ['a.0', 'a.0', ''],
    ['a.name', 'a.[]', null],
    ['a.[]', 'a.name', null],
    ['b.[]', 'a.[]', null],
  ])('%s read by way of %s leaves %j', (place, source, expected) => {
    expect(remainder(place, source)).toBe(expected);
  });

  it('have other names in a method that is called on one of them', () => {
    expect(insideOf(`${X}.client`, X)).toBe('this.client');
    expect(insideOf(`!${X}.done`, X)).toBe('!this.done');
    expect(insideOf('this.client', X)).toBe('^this.client');
    expect(insideOf('this', X)).toBe('^this');
    expect(insideOf('^this.a', X)).toBe('^^this.a');
    expect(insideOf('thisOne.a', X)).toBe('thisOne.a');
    expect(insideOf(Y, X)).toBe(Y);
  });

  it('are dropped where they are temporary, but for the last that has the lease', () => {
    const call = { args: ['f|%1', X], to: 'f|%2' } as unknown as Call;
    const both = held({ 'f|%1.a': '=1', [Y]: '=2' }, [C, 'f|%1']);
    expect(dropTemporaries(both, call)).toMatchObject({ holders: [C], facts: new Map([[Y, '=2']]) });
    const only = held({}, ['f|%1.a']);
    expect(dropTemporaries(only, call)).toBe(only);
    expect(dropTemporaries(both, { ...call, args: [X] } as Call)).toBe(both);
  });

  it('are known less of where paths are too many: first their fields, then all but what says who owns the lease', () => {
    const [field, owner] = [`${X}.a`, `${Y}.b`];
    const state = held({ [X]: '=1', [field]: '=2', [owner]: '=3' });
    const left = (keepsVariables: boolean, owning: readonly string[]) => [
      ...withFewerFacts(state, keepsVariables, new Set(owning)).facts.keys(),
    ];
    expect(left(true, [])).toEqual([X]);
    expect(left(false, [])).toEqual([]);
    expect(left(true, [owner])).toEqual([X, owner]);
    expect(left(false, [owner])).toEqual([owner]);
  });
});

describe('how likely a call is to throw', () => {
  /** The call that stands first in the code; `mode` is how its result is used. */
  function callIn(code: string, mode: Call['mode'], isNew: boolean): Call {
    const source = ts.createSourceFile('a.ts', code, ts.ScriptTarget.Latest, true);
    let node: Call['node'] | null = null;
    const visit = (at: ts.Node): void => {
      if (node === null && (ts.isCallExpression(at) || ts.isNewExpression(at))) node = at;
      ts.forEachChild(at, visit);
    };
    visit(source);
    const found = node as unknown as ts.CallExpression;
    const callee = found.expression;
    const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText();
    return { node: found, name, isNew, mode } as unknown as Call;
  }
  const context: RaiseContext = { onLease: false, isSyncLease: false, protocol: [], callee: null };
  const onLease = { onLease: true };
  const QUIET = { throws: false, onlyThrows: false, isAsync: false, isLogger: false, isQuiet: false };

  it.each<[string, Call['mode'], Partial<RaiseContext>, string]>([
    ['client.query(sql)', 'awaited', onLease, 'ordinary'],
    ['client.query(sql)', 'floating', onLease, 'never'],
    ['client.copy(sql)', 'floating', onLease, 'protocol'],
    ['client.query(sql)', 'returned', onLease, 'ordinary'],
    ['client.isOpen()', 'plain', onLease, 'never'],
    ['client.prepare(sql)', 'plain', { ...onLease, isSyncLease: true }, 'ordinary'],
    ['client.begin()', 'awaited', onLease, 'protocol'],
    ['client.begin()', 'floating', onLease, 'never'],
    ['client.query("ROLLBACK")', 'awaited', onLease, 'protocol'],
    ['client.query("rollback to here")', 'awaited', onLease, 'protocol'],
    ['client.query("select 1")', 'awaited', onLease, 'ordinary'],
    ['client.open()', 'awaited', { ...onLease, protocol: ['open'] }, 'protocol'],
    ['client.get(key)', 'awaited', onLease, 'ordinary'],
    ['map.get(key)', 'plain', {}, 'never'],
    ['cache.get(key)', 'awaited', {}, 'ordinary'],
    ['emitter.emit(key)', 'awaited', {}, 'never'],
    ['other.close()', 'awaited', {}, 'protocol'],
    ['other.rollbackAll()', 'awaited', {}, 'protocol'],
    ['other.unrollback()', 'awaited', {}, 'ordinary'],
    ['sleep(5)', 'plain', {}, 'never'],
    ['sleep(5)', 'awaited', {}, 'protocol'],
    ['work(5)', 'awaited', {}, 'ordinary'],
    ['work(5)', 'plain', {}, 'ordinary'],
    ['work(5)', 'returned', {}, 'protocol'],
    ['buildQuery(5)', 'plain', {}, 'protocol'],
    ['validateInput(5)', 'plain', {}, 'ordinary'],
    ['thing.work(5)', 'plain', {}, 'protocol'],
    ['thing.work(5)', 'plain', { isSyncLease: true }, 'ordinary'],
    ['thing.buildIt(5)', 'plain', { isSyncLease: true }, 'protocol'],
    ['logger.error(5)', 'awaited', {}, 'never'],
    ['this.logger.error(5)', 'plain', {}, 'never'],
    ['getLogger().work(5)', 'plain', {}, 'never'],
    ['Logger.getInstance().work(5)', 'plain', {}, 'never'],
    ['console.log(5)', 'plain', {}, 'never'],
    ['process.exit(5)', 'plain', {}, 'protocol'],
    ['Promise.resolve(5)', 'plain', {}, 'never'],
    ['Promise.all(5)', 'awaited', {}, 'ordinary'],
    ['this.push(5)', 'plain', {}, 'protocol'],
    ['list.push(5)', 'plain', {}, 'never'],
    ['JSON.stringify(5)', 'plain', {}, 'never'],
    ['JSON.parse(5)', 'plain', {}, 'protocol'],
    ['setTimeout(f, 5)', 'plain', {}, 'never'],
    ['captureException(e)', 'plain', {}, 'never'],
    ['try { } catch (e) { explain(e) }', 'plain', {}, 'protocol'],
    ['work()', 'plain', { callee: { ...QUIET, throws: true } }, 'ordinary'],
    ['work()', 'plain', { callee: QUIET }, 'never'],
    ['work()', 'plain', { callee: { ...QUIET, throws: true, isAsync: true } }, 'never'],
    ['tell()', 'awaited', { callee: { ...QUIET, throws: true, isLogger: true, isQuiet: false } }, 'never'],
    ['more()', 'plain', { callee: { ...QUIET, isQuiet: true } }, 'protocol'],
    ['try { } catch (e) { work() }', 'plain', { callee: { ...QUIET, throws: true } }, 'protocol'],
    [
      'try { } catch (e) { fail() }',
      'plain',
      { callee: { ...QUIET, throws: true, onlyThrows: true } },
      'ordinary',
    ],
  ])('%s, %s, %j: %s', (code, mode, own, expected) => {
    expect(raiseOf(callIn(code, mode, false), { ...context, ...own })).toBe(expected);
  });

  it.each<[string, RaiseContext['callee'], string]>([
    ['new Map(5)', null, 'never'],
    ['new QueryError(5)', null, 'never'],
    ['new Repository(5)', null, 'protocol'],
    ['new Repository(5)', { ...QUIET, throws: true }, 'ordinary'],
    ['new Repository(5)', QUIET, 'never'],
  ])('%s, %j: %s', (code, callee, expected) => {
    expect(raiseOf(callIn(code, 'plain', true), { ...context, callee })).toBe(expected);
  });
});
