import { ts } from 'ts-morph';
import type { Call } from '../../flow/graph.js';
import type { Raise, RaiseContext } from '../../flow/types.js';
import { hasRole } from './roles.js';

/** Whether a node is of a file that was translated from Python. */
export function isPython(node: ts.Node): boolean {
  return /\.(py|ipynb)$/.test(node.getSourceFile().fileName);
}

const BUILT_IN =
  /^(print|len|str|repr|int|float|bool|bytes|list|dict|set|tuple|frozenset|range|enumerate|zip|map|filter|sorted|reversed|min|max|sum|any|all|abs|round|type|id|hash|hasattr|getattr|setattr|callable|iter|isinstance|issubclass|super|vars|locals|globals|object|format|chr|ord|deepcopy|copy|namedtuple|defaultdict|OrderedDict|Counter|deque|partial|cast|field|Lock|RLock|Event|Queue|Path|Decimal|uuid4|urlparse|timedelta|datetime|text|select|insert|update|delete|desc|asc|and_|or_|not_|case|column|literal|joinedload|selectinload|Depends|wraps|getLogger|perf_counter|monotonic|time)$/;
const HARMLESS_METHODS =
  /^(append|extend|add|discard|remove|pop|popleft|clear|update|setdefault|get|keys|values|items|copy|sort|reverse|insert|index|count|join|split|rsplit|splitlines|strip|lstrip|rstrip|lower|upper|title|capitalize|replace|format|startswith|endswith|encode|decode|isoformat|strftime|now|utcnow|today|time|perf_counter|monotonic|isdigit|zfill|ljust|rjust|total_seconds|hex|where|filter|filter_by|order_by|limit|offset|group_by|having|options|outerjoin|is_|in_|like|ilike|desc|asc|label|isnot|debug|info|warning|warn|error|exception|critical|log|success|set_status|set|is_set|exists|is_dir|is_file|mkdir|parent|resolve|with_traceback|format_exc|print_exc|print_exception|fileno|getLogger|put_nowait|acquire|locked|notify_all|basename|dirname|abspath|environ|getenv|metadata|getpid|get_ident|sleep)$/;
const LOGGERS = /(^|\.|_)(log|logger|logging|console|print|st|click|typer)$/i;
/** Ask a server, a disk or another program. */
const WORKS =
  /^(execute\w*|exec|query|scalars?|scalar_one\w*|fetch\w*|first|one|one_or_none|commit|flush|refresh|get_or_404|request|post|put|patch|send\w*|recv\w*|read\w*|write\w*|run|call|connect\w*|download\w*|upload\w*|load\w*|loads|dump|save\w*|to_sql|read_sql\w*|to_csv|open|urlopen|check_output|check_call|invoke|predict|\$pass)$/;
/** Questions about the state of a lease. */
const CHECKS =
  /^(is_connected|isConnected|thread_id|get_backend_pid|in_transaction|is_active|closed|fileno|get_server_info|get_server_version|get_bind|sleep|waitOnUpdate|bindparams)$/;

/**
 * How likely a call in Python is to raise. Any call may; what counts is whether a reader would guard against it: a query,
 * a request, a helper that does one, what is awaited, and all that is done with the lease.
 */
export function raiseInPython(call: Call, { onLease, protocol, callee }: RaiseContext): Raise {
  const { name, node } = call;
  if (name === '$pass') return isInLifespan(node) ? 'protocol' : 'ordinary';
  // `context.configure(connection=connection)` of Alembic only keeps what it is given.
  if (name === 'configure' && onLease) return 'protocol';
  if (name === '$yield') return onLease && !isInLifespan(node) ? 'ordinary' : 'protocol';
  if (name === '$handover') return 'never';
  if (onLease && (protocol.includes(name) || CHECKS.test(name))) return 'protocol';
  if (isSaid(call) || (!onLease && isBuiltIn(call))) return 'never';
  if (onLease && isKept(call)) return 'never';
  if (callee?.isLogger === true) return 'never';
  if (onLease) return callee?.isQuiet === true ? 'protocol' : 'ordinary';
  if (/^(rollback|close|aclose|disconnect|release|cancel|shutdown|stop|terminate)$/.test(name))
    return 'protocol';
  if (callee !== null) return callee.isQuiet ? 'protocol' : 'ordinary';
  if (isAwaited(node)) return /^(sleep|gather|wait)$/.test(name) ? 'protocol' : 'ordinary';
  if (WORKS.test(name)) return 'ordinary';
  return HARMLESS_METHODS.test(name) && call.receiver !== null ? 'never' : 'protocol';
}

/** Making a session asks nobody; connecting does. */
export function raiseOfPythonAcquiring(node: ts.Node): Raise {
  const called = ts.isCallExpression(node) || ts.isNewExpression(node) ? node.expression : node;
  return /connect|getconn|acquire/i.test(called.getText().slice(0, 200)) ? 'ordinary' : 'protocol';
}

/** Whether a call is in the lifespan of an application, whose failure ends the process. */
function isInLifespan(node: ts.Node): boolean {
  for (let at = node.parent; !ts.isSourceFile(at); at = at.parent) if (hasRole(at, 'lifespan')) return true;
  return false;
}

/** Whether a call only puts a lease into a collection, or prints it. */
export function isKept({ name, receiver }: Call): boolean {
  return receiver === null
    ? BUILT_IN.test(name)
    : /^(append|appendleft|add|extend|insert|put|put_nowait|setdefault|register)$/.test(name);
}

/** A message to a log. */
function isSaid({ node, name }: Call): boolean {
  if (!ts.isCallExpression(node)) return false;
  const { expression } = node;
  if (!ts.isPropertyAccessExpression(expression)) return name === 'print';
  return LOGGERS.test(expression.expression.getText()) || /^(print_exc|format_exc)$/.test(name);
}

function isBuiltIn({ name, receiver }: Call): boolean {
  return receiver === null ? BUILT_IN.test(name) : HARMLESS_METHODS.test(name) || BUILT_IN.test(name);
}

/** Whether the Python code awaits a call: the translation marks it. */
function isAwaited(node: ts.Node): boolean {
  let at = node.parent;
  while (ts.isAwaitExpression(at) || ts.isParenthesizedExpression(at)) at = at.parent;
  return ts.isAsExpression(at);
}
