import { ts } from 'ts-morph';
import { isFunction } from './code/scope.js';
import { isPython } from './languages/python/raises.js';
import { answersRequests, hasRole } from './languages/python/roles.js';
import type { Surroundings } from './types.js';

/** The kind of code around a call; null if nothing sets it apart. */
export function surroundingsOf(node: ts.Node, file: string): Surroundings | null {
  let isTopLevel = true;
  let isStartup = STARTUP_FILE.test(file);
  for (let at = node; !ts.isSourceFile(at); at = at.parent) {
    if (ts.isIterationStatement(at.parent, false) && at.parent.statement === at) return 'loop';
    if (!isFunction(at)) continue;
    if (isHandler(at)) return 'request';
    if (isRepeated(at)) return 'loop';
    if (!isCalledAtOnce(at)) isTopLevel = false;
    isStartup ||= STARTUP_NAME.test(nameOf(at));
  }
  if (isTopLevel || isStartup) return 'startup';
  return HANDLER_FILE.test(file) ? 'request' : null;
}

const STARTUP_FILE =
  /(^|\/)(scripts?|bin|migrations?|seed(s|er|ers)?|tools?|bench(marks?)?)\/|(^|[/.-])(migrate|migration|seed|setup|install|bootstrap|cli)\.([cm]?[jt]sx?|py)$/i;
const STARTUP_NAME =
  /^(main|bootstrap|migrate|seed|setup|up|down|init(ialize)?(Db|Database|Schema|Tables?)?)$/i;
const HANDLER_FILE =
  /(^|\/)(routes?|routers?|controllers?|handlers?|resolvers?|middlewares?|api|endpoints?|pages\/api)\/|\.(controller|resolver|route|router|handler)\.[cm]?[jt]sx?$|(^|\/)\+(server|page\.server|layout\.server)\.[jt]s$|(^|\/)(views|routes|endpoints)\.py$/i;

const ROUTES = /^(get|post|put|delete|del|patch|options|head|all|use|route|handle|param|command|action)$/i;
const EXPORTS = /^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|handler|handle|loader|action|getServerSideProps)$/;
const DECORATORS =
  /^(Get|Post|Put|Delete|Patch|All|Options|Head|Query|Mutation|ResolveField|FieldResolver|Subscription|MessagePattern|EventPattern|GrpcMethod|SubscribeMessage|Authorized)$/;
const REPEATERS =
  /^(forEach|map|flatMap|reduce|setInterval|schedule|scheduleJob|process|consume|subscribe|run)$/;
const TIMED = /^(Cron|Interval|Process|Processor|OnEvent|OnQueueEvent)$/;

/** Whether a function answers requests: by its parameters, its route, its decorator or its exported name. */
function isHandler(fn: ts.SignatureDeclaration): boolean {
  if (isPython(fn)) return answersRequests(fn);
  const [first = '', second = ''] = fn.parameters.map(({ name }) => name.getText());
  if (/^_?(req|request)$/i.test(first) && /^_?(res|response|reply|h|rep|next)$/i.test(second)) return true;
  if (/^_?(ctx|context|c)$/.test(first) && second === 'next') return true;
  if (decoratorsOf(fn).some((name) => DECORATORS.test(name))) return true;
  const { parent } = fn;
  if (ts.isCallExpression(parent) && parent.expression !== fn) {
    const [route] = parent.arguments;
    const name = ts.isPropertyAccessExpression(parent.expression) ? parent.expression.name.text : '';
    return (
      ROUTES.test(name) &&
      route !== undefined &&
      (ts.isStringLiteralLike(route) || ts.isRegularExpressionLiteral(route))
    );
  }
  return EXPORTS.test(nameOf(fn)) && isExported(fn);
}

/** Whether a function literal runs for each element, message or tick. */
function isRepeated(fn: ts.SignatureDeclaration): boolean {
  if (isPython(fn)) return hasRole(fn, 'loop');
  if (decoratorsOf(fn).some((name) => TIMED.test(name))) return true;
  const { parent } = fn;
  if (!ts.isCallExpression(parent) || parent.expression === fn) return false;
  const callee = parent.expression;
  const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText();
  if (/^(on|addListener|addEventListener)$/.test(name)) {
    const [event] = parent.arguments;
    return (
      event !== undefined &&
      ts.isStringLiteralLike(event) &&
      /^(message|data|job|event|request|connection)$/.test(event.text)
    );
  }
  return REPEATERS.test(name);
}

function isCalledAtOnce(fn: ts.SignatureDeclaration): boolean {
  let at: ts.Node = fn;
  while (ts.isParenthesizedExpression(at.parent)) at = at.parent;
  return ts.isCallExpression(at.parent) && at.parent.expression === at;
}

function decoratorsOf(fn: ts.SignatureDeclaration): string[] {
  if (!ts.canHaveDecorators(fn)) return [];
  return (ts.getDecorators(fn) ?? []).map(({ expression }) =>
    (ts.isCallExpression(expression) ? expression.expression : expression).getText().replace(/^.*\./, ''),
  );
}

function nameOf(fn: ts.SignatureDeclaration): string {
  if (fn.name !== undefined) return fn.name.getText();
  return ts.isVariableDeclaration(fn.parent) || ts.isPropertyAssignment(fn.parent)
    ? fn.parent.name.getText()
    : '';
}

function isExported(fn: ts.SignatureDeclaration): boolean {
  let at: ts.Node = fn;
  while (at.parent !== undefined && !ts.isStatement(at)) at = at.parent;
  const isDeclared =
    ts.canHaveModifiers(at) &&
    (ts.getModifiers(at)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false);
  return isDeclared || /^(module\.)?exports\b/.test(at.getText());
}
