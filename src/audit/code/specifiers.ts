import { ts } from 'ts-morph';
import { variableOf } from './scope.js';
import { bare } from './syntax.js';

/**
 * The modules that a call loads: of `require('pg')`, `await import(path)` and the like, for each value that the argument
 * can have. `*` stands for a part that is not known. Empty where the call loads no module.
 */
export function loadedModules(call: ts.CallExpression): readonly string[] {
  const argument = call.arguments[0];
  if (argument === undefined || !isLoader(call.expression)) return [];
  return textsOf(argument, 0).filter((text) => text.replaceAll('*', '') !== '');
}

function isLoader(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  if (ts.isPropertyAccessExpression(callee)) return callee.getText() === 'module.require';
  if (!ts.isIdentifier(callee)) return false;
  const variable = variableOf(callee);
  if (variable === null) return callee.text === 'require';
  // `const require = createRequire(import.meta.url)`
  const value = ts.isVariableDeclaration(variable.declaration) ? variable.declaration.initializer : undefined;
  return (
    value !== undefined &&
    ts.isCallExpression(value) &&
    /(^|\.)createRequire$/.test(value.expression.getText())
  );
}

const DEPTH = 8;
/** More are no list that anybody wrote. */
const MOST = 24;

function textsOf(expression: ts.Expression, depth: number): readonly string[] {
  if (depth > DEPTH) return ['*'];
  const inner = bare(expression);
  const of = (one: ts.Expression) => textsOf(one, depth + 1);
  if (ts.isStringLiteralLike(inner)) return [inner.text];
  if (ts.isAsExpression(inner)) return of(inner.expression);
  if (ts.isTemplateExpression(inner)) {
    return inner.templateSpans.reduce<readonly string[]>(
      (before, { expression: part, literal }) =>
        joined(
          before,
          of(part).map((one) => one + literal.text),
        ),
      [inner.head.text],
    );
  }
  if (ts.isConditionalExpression(inner)) return [...of(inner.whenTrue), ...of(inner.whenFalse)];
  if (ts.isBinaryExpression(inner)) {
    const { kind } = inner.operatorToken;
    if (kind === ts.SyntaxKind.PlusToken) return joined(of(inner.left), of(inner.right));
    const isEither = kind === ts.SyntaxKind.QuestionQuestionToken || kind === ts.SyntaxKind.BarBarToken;
    return isEither ? [...of(inner.left), ...of(inner.right)] : ['*'];
  }
  if (ts.isIdentifier(inner)) return ofVariable(inner, of);
  if (ts.isCallExpression(inner)) return ofCall(inner, of);
  if (ts.isNewExpression(inner)) {
    // `new URL('./db.js', import.meta.url)`
    const [path, base] = inner.arguments ?? [];
    const isHere = path !== undefined && base?.getText() === 'import.meta.url';
    return isHere ? of(path) : ['*'];
  }
  if (ts.isElementAccessExpression(inner)) return ofList(inner.expression, of);
  if (ts.isPropertyAccessExpression(inner)) {
    return /^(href|pathname|default)$/.test(inner.name.text)
      ? of(inner.expression)
      : ofList(inner.expression, of, inner.name.text);
  }
  return ['*'];
}

type Texts = (expression: ts.Expression) => readonly string[];

function ofVariable(name: ts.Identifier, of: Texts): readonly string[] {
  if (name.text === '__dirname') return ['.'];
  const declaration = variableOf(name)?.declaration;
  if (declaration === undefined || !ts.isVariableDeclaration(declaration)) return ['*'];
  if (declaration.initializer !== undefined) return of(declaration.initializer);
  const loop = declaration.parent.parent;
  return ts.isForOfStatement(loop) ? ofList(loop.expression, of) : ['*'];
}

function ofCall(call: ts.CallExpression, of: Texts): readonly string[] {
  const callee = call.expression.getText();
  const [first, ...others] = call.arguments;
  if (first === undefined) {
    const isText = ts.isPropertyAccessExpression(call.expression) && call.expression.name.text === 'toString';
    return isText ? of((call.expression as ts.PropertyAccessExpression).expression) : ['*'];
  }
  if (/^((\w*[rR]equire|import\.meta)\.resolve|String|(url\.)?(pathToFileURL|fileURLToPath))$/.test(callee))
    return of(first);
  if (!/^(path\.)?(join|resolve)$/.test(callee)) return ['*'];
  const isHere = /^(__dirname|import\.meta\.dirname)$/.test(first.getText());
  if (!isHere) return ['*'];
  return others.reduce<readonly string[]>(
    (before, part) =>
      joined(
        before,
        of(part).map((one) => `/${one.replace(/^\.?\//, '')}`),
      ),
    ['.'],
  );
}

/** The elements of a list or the values of a table, or one of its values. */
function ofList(list: ts.Expression, of: Texts, key: string | null = null): readonly string[] {
  let inner = bare(list);
  if (ts.isIdentifier(inner)) {
    const declaration = variableOf(inner)?.declaration;
    const value =
      declaration !== undefined && ts.isVariableDeclaration(declaration)
        ? declaration.initializer
        : undefined;
    if (value === undefined) return ['*'];
    inner = bare(value);
  }
  if (ts.isArrayLiteralExpression(inner)) return inner.elements.flatMap(of).slice(0, MOST);
  if (!ts.isObjectLiteralExpression(inner)) return ['*'];
  return inner.properties
    .filter(ts.isPropertyAssignment)
    .filter(({ name }) => key === null || name.getText() === key)
    .flatMap(({ initializer }) => of(initializer))
    .slice(0, MOST);
}

function joined(first: readonly string[], second: readonly string[]): readonly string[] {
  return first.flatMap((one) => second.map((other) => one + other)).slice(0, MOST);
}
