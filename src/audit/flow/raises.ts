import { ts } from 'ts-morph';
import { isBody } from '../code/scope.js';
import { isPython, raiseInPython, raiseOfPythonAcquiring } from '../languages/python/raises.js';
import type { Call } from './graph.js';
import type { Raise, RaiseContext } from './types.js';

const HARMLESS_RECEIVERS =
  /^(console|logger|log|winston|pino|debug|Math|Number|String|Object|Array|Date|Symbol|Reflect|performance|Buffer|path|process)$/i;
const LOGGING = /^(log|logger|logging|console|debug)$|log(ger)?$/i;
const HARMLESS_METHODS = new Set(
  (
    'on once off addListener removeListener removeAllListeners addEventListener removeEventListener emit ref unref ' +
    'setMaxListeners bind toString valueOf toISOString getTime toFixed trim slice substring substr split join concat ' +
    'indexOf lastIndexOf includes startsWith endsWith replace replaceAll padStart padEnd repeat toLowerCase ' +
    'toUpperCase charAt charCodeAt push pop shift unshift splice sort reverse map filter forEach find findIndex some ' +
    'every reduce flat flatMap fill keys values entries get set has add delete clear at match test exec ' +
    'hasOwnProperty getStore next abort debug info warn error trace fatal verbose silly log'
  ).split(' '),
);
const HARMLESS_FUNCTIONS = new Set(
  (
    'setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate queueMicrotask String Number ' +
    'Boolean Symbol BigInt Array Object Date parseInt parseFloat isNaN isFinite encodeURIComponent debug log ' +
    'structuredClone require promisify callbackify inspect'
  ).split(' '),
);
const HARMLESS_CLASSES =
  /^(Map|Set|WeakMap|WeakSet|Date|Promise|AbortController|URLSearchParams|Array|Object|.*(Error|Exception))$/;
export const WAITING =
  /^(sleep|delay|wait|pause|timer|timeout|setTimeout|setImmediate|nextTick|tick)(For|Ms|Msec|Seconds)?$/i;
const PROTOCOL =
  /^(connect|begin\w*|start(Transaction|Tx|Trx|Session)\w*|rollback\w*|setAutocommit|transaction|ping)$/i;
const PROTOCOL_SQL =
  /^\s*(BEGIN|START\s+TRANSACTION|ROLLBACK|SAVEPOINT|RELEASE\s+SAVEPOINT|UNLISTEN|DISCARD)\b/i;
const CHECKING =
  /^(assert|invariant|validate|verify|ensure|require[A-Z]|must|check|throwIf|guard|expect|fail)/;
const QUERIES = /^(query|execute)$/;
/** Streams report their errors as events. */
const STREAMS = /^(create(Read|Write)Stream|pipe)$/;
/** Writes a message, or tells a monitor of an error. */
const SAYS = /^(log|warn|debug|trace|captureException|captureMessage)([A-Z_]\w*)?$/;
/** Methods of loggers and emitters, awaited or not. */
const TELLS = /^(info|warn|error|debug|trace|fatal|verbose|silly|on|once|off|emit|next|abort|match|exec)$/;
/** Tidies up, which nobody expects to fail. */
const CLEANS =
  /^(rm|rmdir|unlink|remove|cleanup|dispose|detach|release|close|stop|kill|terminate|unsubscribe|clear|reset)(Sync|All|[A-Z_]\w*)?$/i;
/** Names of functions that only compute a value out of others. */
const BUILDING =
  /^(build|make|create|format|to|get|is|has|compute|calc\w*|quote|escape|wrap|generate|uuid|v4|clone|merge|map|pick|omit|join|hash|now|use|t|_)(?![a-z])/;

/** How likely a call is to throw, by what it calls and what is awaited. */
export function raiseOf(call: Call, context: RaiseContext): Raise {
  const { name, node } = call;
  if (isPython(node)) return raiseInPython(call, context);
  const { onLease, isSyncLease, protocol, callee } = context;
  if (isProtocol(call, onLease, protocol)) return onLease && call.mode === 'floating' ? 'never' : 'protocol';
  if (!onLease && call.mode !== 'awaited' && WAITING.test(name)) return 'never';
  const isSuper = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.SuperKeyword;
  if (call.isNew || isSuper) {
    if (callee !== null) return callee.throws ? 'ordinary' : 'never';
    return call.isNew && HARMLESS_CLASSES.test(name) ? 'never' : 'protocol';
  }
  // `await client.get(key)` asks a server; `map.get(key)` does not.
  if (isHarmless(call) && !(onLease && call.mode === 'awaited')) return 'never';
  if (callee?.isLogger === true && !onLease) return 'never';
  if (callee?.isQuiet === true && !onLease) return 'protocol';
  if (!onLease && CLEANS.test(name) && isInFinally(node)) return 'protocol';
  if (call.mode === 'awaited' || (call.mode === 'returned' && onLease))
    return WAITING.test(name) && !onLease ? 'protocol' : 'ordinary';
  if (callee?.isAsync === true) return 'never'; // its failure is a rejection, which nobody waits for here
  if (onLease && /^(is|has|in)[A-Z]/.test(name)) return 'never';
  if (isSyncLease && STREAMS.test(name)) return 'protocol';
  if (onLease && isSyncLease) return 'ordinary';
  // A query that nobody awaits here fails as a rejection, an event or an argument.
  if (onLease) return /^(query|execute)/.test(name) ? 'never' : 'protocol';
  if (callee !== null) {
    if (!callee.throws) return 'never';
    // The handling of an error is not the failure, unless it throws that error on.
    return isInHandler(node) && !callee.onlyThrows ? 'protocol' : 'ordinary';
  }
  if (CHECKING.test(name)) return 'ordinary';
  if (call.mode === 'returned') return QUERIES.test(name) ? 'ordinary' : 'protocol';
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
    return BUILDING.test(name) || isInHandler(node) ? 'protocol' : 'ordinary';
  }
  return isSyncLease && !BUILDING.test(name) ? 'ordinary' : 'protocol';
}

/** How likely a call that acquires another lease is to throw. */
export function raiseOfAcquiring(node: ts.Node): Raise {
  return isPython(node) ? raiseOfPythonAcquiring(node) : 'protocol';
}

/** Whether a call only opens or closes: connects, begins or rolls back. */
export function isProtocol({ name, node }: Call, onLease: boolean, protocol: readonly string[]): boolean {
  if (onLease && (protocol.includes(name) || PROTOCOL.test(name))) return true;
  if (
    !onLease &&
    /^(begin|start)Transaction$|^rollback|^(end|close|destroy|disconnect|quit|shutdown)$/i.test(name)
  )
    return true;
  const texts = ts.isTaggedTemplateExpression(node) ? [node.template] : (node.arguments ?? []);
  return texts.some((text) => PROTOCOL_SQL.test(startOf(text)));
}

/** The text that a string begins with: `'BEGIN ISOLATION LEVEL ' + level`. */
function startOf(text: ts.Expression | ts.TemplateLiteral): string {
  if (ts.isStringLiteralLike(text)) return text.text;
  if (ts.isTemplateExpression(text)) return text.head.text;
  return ts.isBinaryExpression(text) ? startOf(text.left) : '';
}

/** `this.logger`, `getLogger()`, `Logger.getInstance()`. */
export function isLogger(receiver: ts.Expression): boolean {
  if (ts.isCallExpression(receiver)) return isLogger(receiver.expression);
  if (ts.isPropertyAccessExpression(receiver))
    return (
      LOGGING.test(receiver.name.text) ||
      (/^(get|with|child)/.test(receiver.name.text) && isLogger(receiver.expression))
    );
  return LOGGING.test(receiver.getText());
}

/** Whether a node stands in a catch clause or a finally block. */
function isInHandler(node: ts.Node): boolean {
  for (let at = node.parent; at !== undefined && !isBody(at); at = at.parent) {
    if (ts.isCatchClause(at)) return true;
    if (ts.isBlock(at) && ts.isTryStatement(at.parent) && at.parent.finallyBlock === at) return true;
  }
  return false;
}

function isInFinally(node: ts.Node): boolean {
  for (let at = node.parent; at !== undefined && !isBody(at); at = at.parent)
    if (ts.isBlock(at) && ts.isTryStatement(at.parent) && at.parent.finallyBlock === at) return true;
  return false;
}

function isHarmless(call: Call): boolean {
  const { name, node } = call;
  if (!ts.isCallExpression(node)) return false;
  const callee = node.expression;
  if (ts.isIdentifier(callee)) return HARMLESS_FUNCTIONS.has(name) || SAYS.test(name);
  if (!ts.isPropertyAccessExpression(callee)) return false;
  const receiver = callee.expression;
  const last = ts.isPropertyAccessExpression(receiver) ? receiver.name.text : receiver.getText();
  if (last === 'process' && name === 'exit') return false;
  if (last === 'Promise') return name === 'resolve';
  if (HARMLESS_RECEIVERS.test(last) || isLogger(receiver)) return true;
  if (receiver.kind === ts.SyntaxKind.ThisKeyword) return false;
  if (name === 'stringify' && last === 'JSON') return true;
  // `await axios.get(url)` and `await cache.delete(key)` ask somebody; the methods of a Map are not awaited.
  return HARMLESS_METHODS.has(name) && (call.mode !== 'awaited' || TELLS.test(name));
}
