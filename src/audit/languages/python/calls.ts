import { expression, list } from './expressions.js';
import { splitBy } from './scopes.js';
import type { PyNode } from './syntax.js';
import { nameFor, stepOf, type Translation } from './translation.js';

/** Calls that end the process. */
const EXITS = /^(sys\.exit|os\._exit|os\.abort|exit|quit)$/;
/** Calls that run what they are given, and give its result. */
const RUNS =
  /(^|\.)(wait_for|shield|run_until_complete|run_coroutine_threadsafe)$|^(asyncio|anyio|trio)\.run$/;
/** Calls that start what they are given; from then on it has what it was given. */
const STARTS = /(^|\.)(create_task|ensure_future|start_soon)$/;
/** Calls whose first argument is a function that is called with the others, now. */
const APPLIES = /(^|\.)(to_thread|run_sync|run_in_threadpool)$/;
/** The same, later, by somebody else. */
const HANDS =
  /(^|\.)(add_task|submit|Thread|Process|Timer|apply_async|call_soon|call_later|call_soon_threadsafe|start_background_task)$/;
/** Methods of an exit stack, and registries of what is called at the end. */
const ADOPTS =
  /(^|\.)(enter_context|enter_async_context|push_async_exit|push_async_callback|callback|addfinalizer|addCleanup|addAsyncCleanup|enterContext)$|^atexit\.register$|^weakref\.finalize$/;
/** Factories of sessions: a call of what they give acquires a session. */
const FACTORIES = /(^|\.)(sessionmaker|async_sessionmaker|scoped_session|async_scoped_session)$/;

/** Writes a call; `isValue` where it is all that is assigned or returned. */
export function callExpression(to: Translation, node: PyNode, isValue = false): void {
  const [callee, given] = node.kids;
  if (callee === undefined || given === undefined) {
    to.put('$unknown');
    return;
  }
  const text = to.textOf(callee).replace(/\s/g, '');
  const args = splitBy(given.kids.slice(1, -1), ',').filter(({ length }) => length > 0);
  const first = args[0]?.[0];
  if (special(to, node, text, args)) return;
  if (callee.type === 'CallExpression' && FACTORIES.test(to.textOf(callee.kids[0] ?? callee))) {
    // `sessionmaker(bind=engine)()`
    acquisition(to, callee);
    return;
  }
  if (FACTORIES.test(text)) {
    // A factory of a factory is the same factory.
    if (
      /scoped_session$/.test(text) &&
      first?.type === 'CallExpression' &&
      FACTORIES.test(to.textOf(first.kids[0] ?? first))
    ) {
      callExpression(to, first, isValue);
      return;
    }
    if (!isValue) to.put('(');
    to.put('async () => ');
    to.within({ awaits: true }, () => acquisition(to, node));
    if (!isValue) to.put(')');
    return;
  }
  to.put(
    isClass(to, callee, text)
      ? to.around.awaits
        ? '(await new '
        : '(new '
      : to.around.awaits
        ? '(await '
        : '(',
  );
  calleeOf(to, callee, text);
  argumentsOf(to, args, given);
  to.put(')');
}

function acquisition(to: Translation, node: PyNode): void {
  const [callee, given] = node.kids;
  if (callee === undefined || given === undefined) return;
  to.put('(await ');
  expression(to, callee);
  argumentsOf(
    to,
    splitBy(given.kids.slice(1, -1), ',').filter(({ length }) => length > 0),
    given,
  );
  to.put(')');
}

function calleeOf(to: Translation, callee: PyNode, text: string): void {
  if (/^super\(.*\)\.__init__$/.test(text) && to.around.isConstructor) to.put('super');
  else if (text === to.around.self && to.around.className !== null) to.put(nameFor(to.around.className));
  else if (text === 'self.__class__' && to.around.className !== null) to.put(nameFor(to.around.className));
  else expression(to, callee);
}

/** Arguments in order; those by name are marked with it. */
function argumentsOf(to: Translation, args: readonly PyNode[][], given: PyNode): void {
  to.put('(');
  args.forEach((parts, index) => {
    if (index > 0) to.put(', ');
    argument(to, parts);
  });
  to.out.stand(')', given.to - 1, given.to);
}

function argument(to: Translation, parts: readonly PyNode[]): void {
  const [first, second, third] = parts;
  if (first === undefined) return;
  if (second?.type === 'AssignOp' && third !== undefined) {
    to.put(`{ $kw$${to.textOf(first)}: `);
    expression(to, third);
    to.put(' }');
  } else if ((first.type === '*' || first.type === '**') && second !== undefined) {
    to.put('...');
    expression(to, second);
  } else if (parts.some(({ type }) => type === 'for')) {
    // `sum(x for x in xs)`
    expression(to, {
      type: 'ComprehensionExpression',
      from: first.from,
      to: parts.at(-1)?.to ?? first.to,
      kids: [first, ...parts, first],
    });
  } else expression(to, first);
}

/** Whether a call makes an instance of a class of the project. */
function isClass(to: Translation, callee: PyNode, text: string): boolean {
  if (text === to.around.self) return to.around.className !== null && /^cls$/.test(text);
  if (text === 'self.__class__') return to.around.className !== null;
  const name = text.slice(text.lastIndexOf('.') + 1);
  if (!/^_*[A-Z]/.test(name)) return false;
  if (callee.type === 'VariableName') {
    if (to.classes.has(name)) return true;
    const binding = to.imports.bindings.find((one) => one.name === name);
    return (
      binding?.isFile === true &&
      binding.member !== null &&
      to.modules.isClass(binding.module, binding.member)
    );
  }
  const owner = text.slice(0, text.lastIndexOf('.'));
  const module = to.imports.dotted.get(owner) ?? owner;
  const binding = to.imports.bindings.find((one) => one.name === module);
  return binding?.isFile === true && binding.member === null && to.modules.isClass(binding.module, name);
}

/** Writes a call that the language or its library gives a meaning of its own. */
function special(to: Translation, node: PyNode, text: string, args: readonly PyNode[][]): boolean {
  const [first, second] = args.map((parts) => (parts[1]?.type === 'AssignOp' ? parts[2] : parts[0]));
  const await_ = to.around.awaits ? 'await ' : '';
  if (EXITS.test(text)) {
    to.put('process.exit(0)');
    return true;
  }
  if (text === 'isinstance' && first !== undefined && second !== undefined) {
    to.put('(');
    expression(to, first);
    to.put(' instanceof ');
    if (/^[\w.]+$/.test(to.textOf(second))) expression(to, second);
    else to.put('$unknown');
    to.put(')');
    return true;
  }
  if (text === 'hasattr' && first !== undefined && second?.type === 'String') {
    to.put('(');
    expression(to, second);
    to.put(' in ');
    expression(to, first);
    to.put(')');
    return true;
  }
  if (
    text === 'getattr' &&
    first !== undefined &&
    /^(['"])\w+\1$/.test(second === undefined ? '' : to.textOf(second))
  ) {
    expression(to, first);
    to.put(`.${to.textOf(second as PyNode).slice(1, -1)}`);
    return true;
  }
  if (
    text === 'setattr' &&
    args.length === 3 &&
    second !== undefined &&
    /^(['"])\w+\1$/.test(to.textOf(second))
  ) {
    to.put('(');
    expression(to, first as PyNode);
    to.put(`.${to.textOf(second).slice(1, -1)} = `);
    argument(to, args[2] as PyNode[]);
    to.put(')');
    return true;
  }
  const stepped = /^a?next$/.test(text) && first?.type === 'CallExpression' ? first.kids[0] : undefined;
  if (stepped?.type === 'VariableName' && first !== undefined && to.modules.stepped.has(to.textOf(stepped))) {
    const name = to.textOf(stepped);
    to.stepped.add(name);
    to.put(`(${await_}`);
    to.out.stand(stepOf(nameFor(name)), stepped.from, stepped.to);
    const given = first.kids[1];
    if (given !== undefined)
      argumentsOf(
        to,
        splitBy(given.kids.slice(1, -1), ',').filter(({ length }) => length > 0),
        given,
      );
    to.put(')');
    return true;
  }
  if (RUNS.test(text) && first?.type === 'CallExpression') {
    to.put('(');
    expression(to, first);
    to.put(' as any)');
    return true;
  }
  if (STARTS.test(text) && first?.type === 'CallExpression') {
    to.put(`(${await_}$handover(`);
    list(to, first.kids[1]?.kids.filter(isOperand) ?? []);
    to.put('))');
    return true;
  }
  const offset = /(^|\.)run_in_executor$/.test(text) ? 1 : APPLIES.test(text) ? 0 : null;
  const applied = offset === null ? undefined : args[offset]?.[0];
  if (offset !== null && applied !== undefined) {
    to.put(`(${await_}`);
    if (applied.type === 'LambdaExpression' || applied.type === 'CallExpression') {
      to.put('(');
      expression(to, applied);
      to.put(')');
    } else expression(to, applied);
    argumentsOf(to, args.slice(offset + 1), node.kids[1] as PyNode);
    to.put(')');
    return true;
  }
  if (HANDS.test(text) || ADOPTS.test(text)) {
    to.put(`(${await_}$handover(`);
    handed(to, args);
    to.put('))');
    return true;
  }
  return false;
}

function isOperand({ type }: PyNode): boolean {
  return !'(),'.includes(type) && type !== '*' && type !== '**' && type !== 'AssignOp';
}

/** Writes the values that are handed over: of `s.close` the `s`, of a tuple its elements. */
function handed(to: Translation, args: readonly PyNode[][]): void {
  let isFirst = true;
  const add = (node: PyNode): void => {
    if (node.type === 'TupleExpression' || node.type === 'ArrayExpression') {
      node.kids.filter(isOperand).forEach(add);
      return;
    }
    const [object, mark] = node.kids;
    const wrapped = mark?.type === 'ArgList' ? mark.kids[1] : undefined;
    if (wrapped !== undefined && object !== undefined && /(^|\.)a?closing$/.test(to.textOf(object))) {
      add(wrapped);
      return;
    }
    if (!isFirst) to.put(', ');
    isFirst = false;
    const isMethod = node.type === 'MemberExpression' && mark?.type === '.' && object !== undefined;
    if (isMethod && object.type !== 'CallExpression') {
      expression(to, object);
      to.put(', ');
    }
    expression(to, node);
  };
  for (const parts of args) {
    const value = parts[1]?.type === 'AssignOp' ? parts[2] : parts.find(isOperand);
    if (value !== undefined) add(value);
  }
}
