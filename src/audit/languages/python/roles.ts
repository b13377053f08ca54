import { ts } from 'ts-morph';

/**
 * The part of a function in its framework. The translation writes it as the first statement of the function, since
 * decorators have no counterpart there.
 */
export type Role = 'request' | 'loop' | 'test' | 'lends' | 'lifespan';

/** Web frameworks: `@app.get("/")`, `@bp.route("/")`, `@app.callback(...)` of Dash, `@bot.command()`. */
const ROUTE =
  /\.(route|get|post|put|patch|delete|head|options|trace|websocket|api_route|websocket_route|before_request|after_request|teardown_request|errorhandler|exception_handler|middleware|callback|message_handler|callback_query_handler|on_message|on_event|command|action|mutation|field|query|tool)$/;
const VIEW =
  /(^|\.)(api_view|require_http_methods|require_GET|require_POST|login_required|csrf_exempt|view_config|expose)$/;
const MOCK = /^(mock|unittest|responses|respx|requests_mock|patch|click|cli|typer|self)\b/;
/** Celery, RQ, Dramatiq, Huey, APScheduler, Prefect, Airflow. */
const REPEATED =
  /(^|\.)(task|shared_task|periodic_task|db_task|db_periodic_task|actor|job|scheduled_job|repeat_every|flow|cron|on_schedule|agent|subscriber|handler)$/;
const FIXTURE = /(^|\.)fixture$|^pytest\./;
const LENDS = /contextmanager\b/;

/** The roles that decorators give: their texts without arguments. */
export function rolesOf(decorators: readonly string[]): Role[] {
  const has = (pattern: RegExp) => decorators.some((one) => pattern.test(one));
  const roles: Role[] = [];
  if (decorators.some((one) => (ROUTE.test(one) && !MOCK.test(one)) || VIEW.test(one))) roles.push('request');
  if (has(REPEATED)) roles.push('loop');
  if (has(FIXTURE)) roles.push('test');
  if (has(LENDS)) roles.push('lends');
  return roles;
}

/**
 * Whether a manager brackets the run of an application: `async def lifespan(app: FastAPI)`. Frameworks enter it once,
 * when they start.
 */
export function isLifespan(name: string, parameters: string): boolean {
  return (
    /(^|_)(lifespan|lifetime)(_|$)/.test(name) ||
    /^\s*(self\s*,\s*)?\w+\s*:\s*["']?([\w.]+\.)?(FastAPI|Starlette|Litestar|Quart|Sanic|FastMCP|Application)\b/.test(
      parameters,
    )
  );
}

const MARK = 'role: ';

/** The statement that says what a function is. */
export function roleStatement(roles: readonly Role[]): string {
  return roles.length === 0 ? '' : `"${MARK}${[...new Set(roles)].join(' ')}";\n`;
}

/** Whether a function of a translation has a role. */
export function hasRole(node: ts.Node, role: Role): boolean {
  const body = 'body' in node ? (node as { readonly body?: ts.Node }).body : undefined;
  const [first] = body !== undefined && ts.isBlock(body) ? body.statements : [];
  if (first === undefined || !ts.isExpressionStatement(first) || !ts.isStringLiteral(first.expression))
    return false;
  const { text } = first.expression;
  return text.startsWith(MARK) && text.slice(MARK.length).split(' ').includes(role);
}

const VIEWS = /(View|ViewSet|Resource|Handler|Endpoint|Consumer)$/;
const VERBS =
  /^(get|post|put|patch|delete|head|options|list|retrieve|create|update|partial_update|destroy|dispatch|on_get|on_post|on_put|on_patch|on_delete|receive|connect)$/;

/** Whether a function answers requests: by its decorator, its parameters, or as a method of a view. */
export function answersRequests(node: ts.SignatureDeclaration): boolean {
  if (hasRole(node, 'request')) return true;
  const asks = ({ name, type, initializer }: ts.ParameterDeclaration, index: number) =>
    (index === 0 && name.getText() === 'request') ||
    /(^|\.)(Request|HttpRequest|WebSocket)$/.test(type?.getText() ?? '') ||
    initializer?.getText() === '$depends';
  if (node.parameters.some(asks)) return true;
  const owner = node.parent;
  if (!ts.isMethodDeclaration(node) || !ts.isClassLike(owner) || !VERBS.test(node.name.getText()))
    return false;
  return owner.heritageClauses?.some(({ types }) => types.some((one) => VIEWS.test(one.getText()))) === true;
}

/** Whether a call stands in a function that a test runner calls: a fixture, or one that is named as a test. */
export function isInTestFunction(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (hasRole(at, 'test')) return true;
    if ((ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at)) && isForTests(at)) return true;
  }
  return false;
}

/** Whether a function is a test by its name. */
function isForTests(node: ts.FunctionDeclaration | ts.MethodDeclaration): boolean {
  const owner = node.parent;
  const name = node.name?.getText() ?? '';
  if (!/^(test_|(run_)?(all_|self_?)?tests?$)/.test(name)) return false;
  if (ts.isClassLike(owner)) return /^Test|Tests?$|TestCase$/.test(owner.name?.text ?? '');
  // `test_connection()` asks a server whether it is there.
  return node.parameters.length === 0 && !/conn|database|_db$|login|server|health|ping/.test(name);
}
