import { ts } from 'ts-morph';
import { bare } from '../code/entities.js';
import { type Body, isFunction, variableOf } from '../code/scope.js';
import {
  type Call,
  type FlowNode,
  type Graph,
  type Mode,
  type Op,
  RETURNED,
  START,
  type Test,
  THROWN,
} from './graph.js';
import { ELEMENT, isPlace, type Place, property, UNKNOWN } from './place.js';

/** Turns the body of a function, or a whole file, into a graph of small steps. */
export function lower(body: Body, names: Names): Graph {
  return new Lowering(body, names).graph();
}

/** Gives every function its id, the same for the whole audit. */
export interface Names {
  idOf(body: Body): string;
}

/** An edge that still needs its end. */
interface Tail {
  readonly node: number;
  readonly way: 0 | 1;
}

type Frame =
  | {
      readonly kind: 'loop' | 'switch' | 'label';
      readonly label: string | null;
      readonly breaks: Tail[];
      readonly continueAt: number | null;
    }
  | {
      readonly kind: 'finally';
      readonly finish: () => void;
      readonly outerThrown: number;
      /** Where returns enter their copy of the finally block. */
      returnAt: number | null;
    };

class Lowering {
  readonly #body: Body;
  readonly #names: Names;
  readonly #id: string;
  readonly #nodes: FlowNode[] = [];
  #tails: Tail[] = [];
  #thrown = THROWN;
  #frames: Frame[] = [];
  #temporaries = 0;

  constructor(body: Body, names: Names) {
    this.#body = body;
    this.#names = names;
    this.#id = names.idOf(body);
  }

  graph(): Graph {
    const body = this.#body;
    for (const _end of [RETURNED, THROWN]) this.#add({ kind: 'nop' }, body);
    this.#add({ kind: 'nop' }, body); // START
    this.#tails = [{ node: START, way: 0 }];
    const params: Place[] = [];
    if (isFunction(body)) {
      for (const parameter of body.parameters) params.push(this.#parameter(parameter));
      const code = 'body' in body ? body.body : undefined;
      if (code !== undefined && ts.isBlock(code)) this.#statements(code.statements);
      else if (code !== undefined) this.#return(code as ts.Expression, code);
    } else if (ts.isSourceFile(body)) this.#statements(body.statements);
    else this.#statements(body.body.statements);
    this.#connect(RETURNED);
    return {
      nodes: this.#nodes,
      params,
      result: this.#result,
      uses: this.#nodes.map(({ op }) => usesOf(op)),
    };
  }

  get #result(): Place {
    return `${this.#id}|%result`;
  }

  // --- nodes and edges

  #add(op: Op, ast: ts.Node): number {
    this.#nodes.push({ op, ast, next: [], thrown: this.#thrown });
    return this.#nodes.length - 1;
  }

  #emit(op: Op, ast: ts.Node): number {
    const node = this.#add(op, ast);
    this.#connect(node);
    this.#tails = [{ node, way: 0 }];
    return node;
  }

  #connect(to: number, tails: readonly Tail[] = this.#tails): void {
    for (const { node, way } of tails) (this.#nodes[node] as FlowNode).next[way] = to;
    if (tails === this.#tails) this.#tails = [];
  }

  /** A node that edges can go to before it is reached. */
  #label(ast: ts.Node): number {
    return this.#add({ kind: 'nop' }, ast);
  }

  /** Goes on from a label, besides from where it is. */
  #join(label: number): void {
    this.#connect(label);
    this.#tails = [{ node: label, way: 0 }];
  }

  #copy(to: Place, from: Place, ast: ts.Node, move = false): void {
    if (to !== from && isPlace(to)) this.#emit({ kind: 'copy', to, from, move: move && isPlace(from) }, ast);
  }

  #temporary(): Place {
    return `${this.#id}|%${this.#temporaries++}`;
  }

  #branch(test: Test, ast: ts.Node): { yes: Tail[]; no: Tail[] } {
    const node = this.#emit({ kind: 'branch', test }, ast);
    return { yes: [{ node, way: 0 }], no: [{ node, way: 1 }] };
  }

  // --- statements

  #statements(statements: readonly ts.Statement[]): void {
    for (let i = 0; i < statements.length; i++) {
      const statement = statements[i] as ts.Statement;
      if (ts.isVariableStatement(statement) && isUsing(statement.declarationList)) {
        this.#using(statement.declarationList, () => this.#statements(statements.slice(i + 1)));
        return;
      }
      this.#statement(statement);
    }
  }

  /** Disposes of what it declares when `rest` is left, in whatever way. */
  #using(list: ts.VariableDeclarationList, rest: () => void): void {
    const [first, ...others] = list.declarations;
    if (first === undefined) {
      rest();
      return;
    }
    this.#declaration(first);
    const place = ts.isIdentifier(first.name) ? this.#named(first.name) : UNKNOWN;
    this.#withFinally(
      () => {
        if (others.length > 0) for (const one of others) this.#declaration(one);
        rest();
      },
      () => {
        for (const one of [...others].reverse()) {
          if (ts.isIdentifier(one.name)) this.#emit({ kind: 'dispose', place: this.#named(one.name) }, one);
        }
        this.#emit({ kind: 'dispose', place }, first);
      },
    );
  }

  #statement(statement: ts.Statement): void {
    if (ts.isBlock(statement)) this.#statements(statement.statements);
    else if (ts.isVariableStatement(statement)) {
      for (const one of statement.declarationList.declarations) this.#declaration(one);
    } else if (ts.isExpressionStatement(statement)) this.#value(statement.expression, 'floating');
    else if (ts.isIfStatement(statement)) this.#if(statement);
    else if (ts.isReturnStatement(statement)) this.#return(statement.expression, statement);
    else if (ts.isThrowStatement(statement)) {
      this.#value(statement.expression);
      this.#emit({ kind: 'throw', rejects: false }, statement);
      this.#tails = [];
    } else if (ts.isTryStatement(statement)) this.#try(statement);
    else if (ts.isWhileStatement(statement) || ts.isDoStatement(statement) || ts.isForStatement(statement)) {
      this.#loop(statement, null);
    } else if (ts.isForOfStatement(statement) || ts.isForInStatement(statement)) this.#each(statement, null);
    else if (ts.isSwitchStatement(statement)) this.#switch(statement, null);
    else if (ts.isLabeledStatement(statement)) this.#labeled(statement);
    else if (ts.isBreakStatement(statement) || ts.isContinueStatement(statement)) this.#leave(statement);
    else if (ts.isExportAssignment(statement)) this.#value(statement.expression);
    else if (
      ts.isModuleDeclaration(statement) &&
      statement.body !== undefined &&
      ts.isModuleBlock(statement.body)
    ) {
      this.#statements(statement.body.statements);
    }
  }

  #declaration(declaration: ts.VariableDeclaration): void {
    if (declaration.initializer === undefined) {
      // The variable of a for-of has its value from the loop.
      if (
        ts.isVariableDeclarationList(declaration.parent) &&
        !ts.isForOfStatement(declaration.parent.parent)
      ) {
        this.#bind(declaration.name, '=undefined', declaration, false);
      }
      return;
    }
    this.#bind(declaration.name, this.#value(declaration.initializer), declaration, true);
  }

  #parameter(parameter: ts.ParameterDeclaration): Place {
    let place: Place;
    if (ts.isIdentifier(parameter.name)) place = this.#named(parameter.name);
    else place = this.#temporary();
    if (parameter.initializer !== undefined) this.#default(place, parameter.initializer);
    if (!ts.isIdentifier(parameter.name)) this.#bind(parameter.name, place, parameter, false);
    else if (ts.isParameterPropertyDeclaration(parameter, parameter.parent)) {
      this.#copy(property('this', parameter.name.text), place, parameter);
    }
    return place;
  }

  #default(place: Place, value: ts.Expression): void {
    const { yes, no } = this.#branch({ kind: 'nullish', place }, value);
    this.#tails = yes;
    this.#copy(place, this.#value(value), value, true);
    this.#tails.push(...no);
  }

  #bind(name: ts.BindingName | ts.Expression, from: Place, ast: ts.Node, move: boolean): void {
    if (ts.isIdentifier(name)) {
      this.#copy(this.#named(name), from, ast, move && from.includes('|%') && !from.includes('.'));
    } else if (ts.isObjectBindingPattern(name)) {
      for (const element of name.elements) {
        const key = element.propertyName ?? element.name;
        const text = ts.isIdentifier(key) || ts.isStringLiteralLike(key) ? key.text : ELEMENT;
        const source = element.dotDotDotToken === undefined ? property(from, text) : from;
        this.#bindElement(element, source);
      }
    } else if (ts.isArrayBindingPattern(name)) {
      name.elements.forEach((element, index) => {
        if (ts.isOmittedExpression(element)) return;
        const rest = element.dotDotDotToken !== undefined;
        this.#bindElement(element, rest ? from : property(from, String(index)));
      });
    } else this.#assignTo(name, from, ast);
  }

  #bindElement(element: ts.BindingElement, source: Place): void {
    if (element.initializer === undefined) {
      this.#bind(element.name, source, element, false);
      return;
    }
    const value = this.#temporary();
    this.#copy(value, source, element);
    this.#default(value, element.initializer);
    this.#bind(element.name, value, element, false);
  }

  /** Assignment to what may be a pattern: `[a, { b }] = x`. */
  #assignTo(target: ts.Expression, from: Place, ast: ts.Node): Place {
    const inner = bare(target);
    if (ts.isIdentifier(inner)) {
      const to = this.#named(inner);
      this.#copy(to, from, ast, from.includes('|%') && !from.includes('.'));
      return to;
    }
    if (ts.isPropertyAccessExpression(inner) || ts.isElementAccessExpression(inner)) {
      const to = this.#value(inner);
      this.#copy(to, from, ast, from.includes('|%') && !from.includes('.'));
      return to;
    }
    if (ts.isArrayLiteralExpression(inner)) {
      inner.elements.forEach((one, index) => {
        if (!ts.isOmittedExpression(one)) this.#assignTo(one, property(from, String(index)), ast);
      });
    } else if (ts.isObjectLiteralExpression(inner)) {
      for (const one of inner.properties) {
        if (ts.isShorthandPropertyAssignment(one))
          this.#assignTo(one.name, property(from, one.name.text), ast);
        else if (ts.isPropertyAssignment(one)) {
          this.#assignTo(one.initializer, property(from, one.name.getText()), ast);
        }
      }
    } else if (ts.isBinaryExpression(inner)) this.#assignTo(inner.left, from, ast);
    return from;
  }

  #if(statement: ts.IfStatement): void {
    const { yes, no } = this.#condition(statement.expression);
    this.#tails = yes;
    this.#statement(statement.thenStatement);
    const after = this.#tails;
    this.#tails = no;
    if (statement.elseStatement !== undefined) this.#statement(statement.elseStatement);
    this.#tails = [...this.#tails, ...after];
  }

  #return(expression: ts.Expression | undefined, ast: ts.Node): void {
    if (expression !== undefined) {
      const value = this.#value(expression, 'returned');
      this.#copy(this.#result, value, ast, value.includes('|%') && !value.includes('.'));
    }
    this.#emit({ kind: 'return' }, ast);
    this.#goReturn();
  }

  /** Leaves the function through the finally blocks around; all returns share one copy of each. */
  #goReturn(): void {
    const depth = this.#frames.findLastIndex(({ kind }) => kind === 'finally');
    const frame = this.#frames[depth];
    if (frame?.kind !== 'finally') {
      this.#connect(RETURNED);
      return;
    }
    if (frame.returnAt !== null) {
      this.#connect(frame.returnAt);
      return;
    }
    frame.returnAt = this.#label(this.#body);
    this.#join(frame.returnAt);
    this.#outside(depth, frame.outerThrown, () => {
      frame.finish();
      this.#goReturn();
    });
  }

  #leave(statement: ts.BreakOrContinueStatement): void {
    const label = statement.label?.text ?? null;
    const isContinue = ts.isContinueStatement(statement);
    const depth = this.#frames.findLastIndex(
      (frame) =>
        frame.kind !== 'finally' &&
        (label === null ? frame.kind !== 'label' : frame.label === label) &&
        (!isContinue || frame.continueAt !== null),
    );
    const target = this.#frames[depth];
    if (target === undefined || target.kind === 'finally') {
      this.#tails = []; // not valid code
      return;
    }
    this.#emit({ kind: 'nop' }, statement);
    this.#through(depth, () => {
      if (isContinue && target.continueAt !== null) this.#connect(target.continueAt);
      else {
        target.breaks.push(...this.#tails);
        this.#tails = [];
      }
    });
  }

  /** Runs the finally blocks between here and a frame, then `arrive`. */
  #through(depth: number, arrive: () => void): void {
    const at = this.#frames.findLastIndex(({ kind }, index) => kind === 'finally' && index > depth);
    const frame = this.#frames[at];
    if (frame?.kind !== 'finally') {
      arrive();
      return;
    }
    this.#outside(at, frame.outerThrown, () => {
      frame.finish();
      this.#through(depth, arrive);
    });
  }

  #outside(depth: number, thrown: number, work: () => void): void {
    const [frames, before] = [this.#frames, this.#thrown];
    this.#frames = frames.slice(0, depth);
    this.#thrown = thrown;
    work();
    this.#frames = frames;
    this.#thrown = before;
  }

  #withFinally(work: () => void, finish: () => void): void {
    const outerThrown = this.#thrown;
    const landing = this.#label(this.#body);
    const frame: Frame = { kind: 'finally', finish, outerThrown, returnAt: null };
    this.#frames.push(frame);
    this.#thrown = landing;
    work();
    this.#thrown = outerThrown;
    this.#frames.pop();
    finish();
    const after = this.#tails;
    this.#tails = [{ node: landing, way: 0 }];
    finish();
    this.#connect(outerThrown);
    this.#tails = after;
  }

  #try(statement: ts.TryStatement): void {
    const { tryBlock, catchClause, finallyBlock } = statement;
    if (finallyBlock !== undefined) {
      const inner = () =>
        catchClause === undefined
          ? this.#statements(tryBlock.statements)
          : this.#catch(tryBlock, catchClause);
      this.#withFinally(inner, () => this.#statements(finallyBlock.statements));
    } else if (catchClause !== undefined) this.#catch(tryBlock, catchClause);
    else this.#statements(tryBlock.statements);
  }

  #catch(block: ts.Block, clause: ts.CatchClause): void {
    const outer = this.#thrown;
    const landing = this.#label(clause);
    this.#thrown = landing;
    this.#statements(block.statements);
    this.#thrown = outer;
    const after = this.#tails;
    this.#tails = [{ node: landing, way: 0 }];
    if (clause.variableDeclaration !== undefined)
      this.#bind(clause.variableDeclaration.name, '=object', clause, false);
    this.#statements(clause.block.statements);
    this.#tails = [...this.#tails, ...after];
  }

  #loop(statement: ts.WhileStatement | ts.DoStatement | ts.ForStatement, label: string | null): void {
    if (ts.isForStatement(statement) && statement.initializer !== undefined) {
      if (ts.isVariableDeclarationList(statement.initializer)) {
        for (const one of statement.initializer.declarations) this.#declaration(one);
      } else this.#value(statement.initializer);
    }
    const head = this.#label(statement);
    const update = this.#label(statement);
    const frame: Frame = { kind: 'loop', label, breaks: [], continueAt: update };
    const condition = ts.isForStatement(statement) ? statement.condition : statement.expression;
    let after: Tail[] = [];
    this.#join(head);
    if (!ts.isDoStatement(statement) && condition !== undefined) {
      const { yes, no } = this.#condition(condition);
      this.#tails = yes;
      after = no;
    }
    this.#frames.push(frame);
    this.#statement(statement.statement);
    this.#frames.pop();
    this.#join(update);
    if (ts.isForStatement(statement) && statement.incrementor !== undefined)
      this.#value(statement.incrementor);
    if (ts.isDoStatement(statement)) {
      const { yes, no } = this.#condition(statement.expression);
      this.#tails = yes;
      after = no;
    }
    this.#connect(head);
    this.#tails = [...after, ...frame.breaks];
  }

  #each(statement: ts.ForOfStatement | ts.ForInStatement, label: string | null): void {
    const collection = this.#value(statement.expression);
    const head = this.#label(statement);
    this.#join(head);
    const isAsync = ts.isForOfStatement(statement) && statement.awaitModifier !== undefined;
    if (isAsync) this.#emit({ kind: 'await', from: collection }, statement.expression);
    const { yes, no } = this.#branch({ kind: 'each', place: collection, loop: head }, statement);
    this.#tails = yes;
    const element = ts.isForOfStatement(statement) ? property(collection, ELEMENT) : UNKNOWN;
    const target = statement.initializer;
    if (ts.isVariableDeclarationList(target)) {
      for (const one of target.declarations) this.#bind(one.name, element, one, false);
    } else this.#assignTo(target, element, statement);
    const frame: Frame = { kind: 'loop', label, breaks: [], continueAt: head };
    this.#frames.push(frame);
    const list = ts.isVariableDeclarationList(target) && isUsing(target) ? target.declarations[0] : undefined;
    if (list !== undefined && ts.isIdentifier(list.name)) {
      const place = this.#named(list.name);
      this.#withFinally(
        () => this.#statement(statement.statement),
        () => this.#emit({ kind: 'dispose', place }, list),
      );
    } else this.#statement(statement.statement);
    this.#frames.pop();
    this.#connect(head);
    this.#tails = [...no, ...frame.breaks];
  }

  #switch(statement: ts.SwitchStatement, label: string | null): void {
    const subject = this.#value(statement.expression);
    const { clauses } = statement.caseBlock;
    const entries = new Map<ts.CaseOrDefaultClause, Tail[]>();
    for (const clause of clauses) {
      if (ts.isDefaultClause(clause)) continue;
      const isTrue = subject === '=true';
      const { yes, no } = isTrue
        ? this.#condition(clause.expression)
        : this.#branch({ kind: 'same', left: subject, right: this.#value(clause.expression) }, clause);
      entries.set(clause, yes);
      this.#tails = no;
    }
    const unmatched = this.#tails;
    const byDefault = clauses.find(ts.isDefaultClause);
    if (byDefault !== undefined) entries.set(byDefault, unmatched);
    const frame: Frame = { kind: 'switch', label, breaks: [], continueAt: null };
    this.#frames.push(frame);
    this.#tails = [];
    for (const clause of clauses) {
      this.#tails = [...this.#tails, ...(entries.get(clause) ?? [])];
      this.#statements(clause.statements);
    }
    this.#frames.pop();
    this.#tails = [...this.#tails, ...frame.breaks, ...(byDefault === undefined ? unmatched : [])];
  }

  #labeled({ label, statement }: ts.LabeledStatement): void {
    if (ts.isWhileStatement(statement) || ts.isDoStatement(statement) || ts.isForStatement(statement)) {
      this.#loop(statement, label.text);
    } else if (ts.isForOfStatement(statement) || ts.isForInStatement(statement))
      this.#each(statement, label.text);
    else if (ts.isSwitchStatement(statement)) this.#switch(statement, label.text);
    else {
      const frame: Frame = { kind: 'label', label: label.text, breaks: [], continueAt: null };
      this.#frames.push(frame);
      this.#statement(statement);
      this.#frames.pop();
      this.#tails.push(...frame.breaks);
    }
  }

  // --- conditions

  #condition(expression: ts.Expression): { yes: Tail[]; no: Tail[] } {
    const inner = withoutParentheses(expression);
    if (inner.kind === ts.SyntaxKind.TrueKeyword) return { yes: this.#tails, no: [] };
    if (inner.kind === ts.SyntaxKind.FalseKeyword) return { yes: [], no: this.#tails };
    if (ts.isPrefixUnaryExpression(inner) && inner.operator === ts.SyntaxKind.ExclamationToken) {
      const { yes, no } = this.#condition(inner.operand);
      return { yes: no, no: yes };
    }
    if (ts.isBinaryExpression(inner)) {
      const { left, operatorToken, right } = inner;
      switch (operatorToken.kind) {
        case ts.SyntaxKind.AmpersandAmpersandToken: {
          const first = this.#condition(left);
          this.#tails = first.yes;
          const second = this.#condition(right);
          return { yes: second.yes, no: [...first.no, ...second.no] };
        }
        case ts.SyntaxKind.BarBarToken: {
          const first = this.#condition(left);
          this.#tails = first.no;
          const second = this.#condition(right);
          return { yes: [...first.yes, ...second.yes], no: second.no };
        }
        case ts.SyntaxKind.EqualsEqualsToken:
        case ts.SyntaxKind.EqualsEqualsEqualsToken:
          return this.#comparison(inner);
        case ts.SyntaxKind.ExclamationEqualsToken:
        case ts.SyntaxKind.ExclamationEqualsEqualsToken: {
          const { yes, no } = this.#comparison(inner);
          return { yes: no, no: yes };
        }
        case ts.SyntaxKind.InstanceOfKeyword:
          return this.#branch({ kind: 'is', place: this.#value(left) }, inner);
      }
    }
    if (ts.isCallExpression(inner) && inner.arguments[0] !== undefined) {
      if (ts.isIdentifier(inner.expression) && inner.expression.text === 'Boolean') {
        return this.#condition(inner.arguments[0]);
      }
    }
    return this.#branch({ kind: 'truthy', place: this.#value(inner, 'plain') }, inner);
  }

  #comparison({ left, right }: ts.BinaryExpression): { yes: Tail[]; no: Tail[] } {
    for (const [one, other] of [
      [left, right],
      [right, left],
    ] as const) {
      if (isNothing(other)) return this.#branch({ kind: 'nullish', place: this.#value(one) }, left.parent);
      if (ts.isTypeOfExpression(one) && ts.isStringLiteralLike(other)) {
        const place = this.#value(one.expression);
        if (other.text === 'undefined') return this.#branch({ kind: 'nullish', place }, left.parent);
        return this.#branch({ kind: other.text === 'object' ? 'is' : 'opaque', place }, left.parent);
      }
    }
    return this.#branch({ kind: 'same', left: this.#value(left), right: this.#value(right) }, left.parent);
  }

  // --- expressions

  #named(identifier: ts.Identifier): Place {
    const variable = variableOf(identifier);
    if (variable === null) {
      if (identifier.text === 'undefined') return '=undefined';
      return `global|${identifier.text}`;
    }
    const at = variable.declaration.getStart();
    return `${this.#names.idOf(variable.owner)}|${variable.name}@${at}`;
  }

  #value(expression: ts.Expression, mode: Mode = 'plain'): Place {
    switch (expression.kind) {
      case ts.SyntaxKind.ParenthesizedExpression:
      case ts.SyntaxKind.NonNullExpression:
      case ts.SyntaxKind.AsExpression:
      case ts.SyntaxKind.SatisfiesExpression:
      case ts.SyntaxKind.TypeAssertionExpression:
        return this.#value((expression as ts.ParenthesizedExpression).expression, mode);
      case ts.SyntaxKind.NullKeyword:
        return '=null';
      case ts.SyntaxKind.TrueKeyword:
        return '=true';
      case ts.SyntaxKind.FalseKeyword:
        return '=false';
      case ts.SyntaxKind.ThisKeyword:
      case ts.SyntaxKind.SuperKeyword:
        return 'this';
      case ts.SyntaxKind.RegularExpressionLiteral:
      case ts.SyntaxKind.ArrowFunction:
      case ts.SyntaxKind.FunctionExpression:
      case ts.SyntaxKind.ClassExpression:
        return '=object';
    }
    if (ts.isIdentifier(expression)) return this.#named(expression);
    if (ts.isStringLiteralLike(expression) || ts.isNumericLiteral(expression))
      return `=${JSON.stringify(expression.text)}`;
    if (ts.isPropertyAccessExpression(expression)) {
      // tarn's `pool.acquire().promise` is the acquisition itself.
      const isPromise = expression.name.text === 'promise' && ts.isCallExpression(expression.expression);
      if (isPromise) return this.#value(expression.expression, mode);
      return property(this.#value(expression.expression), expression.name.text);
    }
    if (ts.isElementAccessExpression(expression)) return this.#element(expression);
    if (ts.isAwaitExpression(expression)) return this.#await(expression.expression, expression);
    if (ts.isYieldExpression(expression)) {
      return expression.expression === undefined
        ? this.#pause('=undefined', expression)
        : this.#await(expression.expression, expression);
    }
    if (ts.isCallExpression(expression)) return this.#call(expression, mode);
    if (ts.isNewExpression(expression)) return this.#new(expression, mode);
    if (ts.isTaggedTemplateExpression(expression)) return this.#tagged(expression, mode);
    if (ts.isBinaryExpression(expression)) return this.#binary(expression, mode);
    if (ts.isConditionalExpression(expression)) return this.#conditional(expression, mode);
    if (ts.isObjectLiteralExpression(expression)) return this.#object(expression);
    if (ts.isArrayLiteralExpression(expression)) return this.#array(expression);
    if (ts.isPrefixUnaryExpression(expression)) {
      if (expression.operator === ts.SyntaxKind.ExclamationToken) return this.#boolean(expression);
      this.#value(expression.operand);
      return UNKNOWN;
    }
    if (ts.isVoidExpression(expression)) {
      this.#value(expression.expression, 'floating');
      return '=undefined';
    }
    this.#parts(expression);
    return UNKNOWN;
  }

  /** Any other expression: what its parts do counts, its value does not. */
  #parts(node: ts.Node): void {
    ts.forEachChild(node, (child) => {
      if (isFunction(child) || ts.isClassLike(child) || ts.isTypeNode(child)) return;
      if (ts.isExpression(child)) this.#value(child);
      else this.#parts(child);
    });
  }

  #element({ expression, argumentExpression }: ts.ElementAccessExpression): Place {
    const object = this.#value(expression);
    const key = this.#value(argumentExpression);
    return property(object, key.startsWith('="') ? String(JSON.parse(key.slice(1))) : ELEMENT);
  }

  #await(operand: ts.Expression, ast: ts.Node): Place {
    const inner = withoutParentheses(operand);
    const value = this.#value(inner, 'awaited');
    return ts.isCallExpression(inner) || ts.isNewExpression(inner) ? value : this.#pause(value, ast);
  }

  #pause(value: Place, ast: ts.Node): Place {
    this.#emit({ kind: 'await', from: value }, ast);
    return value;
  }

  /** `!a`, `a === null`: the answer is kept, so that a later test of the variable means the same. */
  #boolean(expression: ts.Expression): Place {
    const to = this.#temporary();
    const { yes, no } = this.#condition(expression);
    this.#tails = yes;
    this.#copy(to, '=true', expression);
    const after = this.#tails;
    this.#tails = no;
    this.#copy(to, '=false', expression);
    this.#tails = [...this.#tails, ...after];
    return to;
  }

  #conditional({ condition, whenTrue, whenFalse }: ts.ConditionalExpression, mode: Mode): Place {
    const to = this.#temporary();
    const { yes, no } = this.#condition(condition);
    this.#tails = yes;
    this.#copy(to, this.#value(whenTrue, mode), whenTrue, true);
    const after = this.#tails;
    this.#tails = no;
    this.#copy(to, this.#value(whenFalse, mode), whenFalse, true);
    this.#tails = [...this.#tails, ...after];
    return to;
  }

  #binary(expression: ts.BinaryExpression, mode: Mode): Place {
    const { left, operatorToken, right } = expression;
    switch (operatorToken.kind) {
      case ts.SyntaxKind.EqualsToken:
        return this.#assignTo(left, this.#value(right), expression);
      case ts.SyntaxKind.QuestionQuestionEqualsToken:
      case ts.SyntaxKind.BarBarEqualsToken:
      case ts.SyntaxKind.AmpersandAmpersandEqualsToken: {
        const place = this.#value(left);
        const { yes, no } = this.#branch(shortTest(operatorToken.kind, place), expression);
        this.#tails = yes;
        this.#assignTo(left, this.#value(right), expression);
        this.#tails.push(...no);
        return place;
      }
      case ts.SyntaxKind.QuestionQuestionToken:
      case ts.SyntaxKind.BarBarToken:
      case ts.SyntaxKind.AmpersandAmpersandToken: {
        const to = this.#temporary();
        const first = this.#value(left, mode);
        const { yes, no } = this.#branch(shortTest(operatorToken.kind, first), expression);
        this.#tails = yes;
        this.#copy(to, this.#value(right, mode), right, true);
        const after = this.#tails;
        this.#tails = no;
        this.#copy(to, first, left, true);
        this.#tails = [...this.#tails, ...after];
        return to;
      }
      case ts.SyntaxKind.CommaToken:
        this.#value(left);
        return this.#value(right, mode);
      case ts.SyntaxKind.EqualsEqualsToken:
      case ts.SyntaxKind.EqualsEqualsEqualsToken:
      case ts.SyntaxKind.ExclamationEqualsToken:
      case ts.SyntaxKind.ExclamationEqualsEqualsToken:
      case ts.SyntaxKind.InstanceOfKeyword:
        return this.#boolean(expression);
    }
    this.#value(left);
    this.#value(right);
    if (
      operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      operatorToken.kind <= ts.SyntaxKind.LastAssignment
    ) {
      this.#assignTo(left, UNKNOWN, expression);
    }
    return UNKNOWN;
  }

  #object({ properties }: ts.ObjectLiteralExpression): Place {
    const to = this.#temporary();
    for (const one of properties) {
      if (ts.isPropertyAssignment(one)) {
        const name = one.name;
        if (ts.isComputedPropertyName(name)) this.#value(name.expression);
        const key = ts.isIdentifier(name) || ts.isStringLiteralLike(name) ? name.text : ELEMENT;
        const value = this.#value(one.initializer);
        if (isPlace(value)) this.#copy(property(to, key), value, one, value.includes('|%'));
      } else if (ts.isShorthandPropertyAssignment(one)) {
        this.#copy(property(to, one.name.text), this.#named(one.name), one);
      } else if (ts.isSpreadAssignment(one)) this.#copy(to, this.#value(one.expression), one);
    }
    return to;
  }

  #array({ elements }: ts.ArrayLiteralExpression): Place {
    const to = this.#temporary();
    let exact = true;
    elements.forEach((one, index) => {
      if (ts.isSpreadElement(one)) {
        exact = false;
        const from = this.#value(one.expression);
        this.#copy(property(to, ELEMENT), property(from, ELEMENT), one);
      } else {
        const value = this.#value(one);
        if (isPlace(value))
          this.#copy(property(to, exact ? String(index) : ELEMENT), value, one, value.includes('|%'));
      }
    });
    return to;
  }

  // --- calls

  #call(node: ts.CallExpression, mode: Mode): Place {
    const callee = withoutParentheses(node.expression);
    if (ts.isPropertyAccessExpression(callee)) {
      const method = callee.name.text;
      if (method === 'then' || method === 'catch' || method === 'finally')
        return this.#chain(node, callee, mode);
    }
    const settle = ts.isIdentifier(callee) ? this.#settles(callee) : null;
    if (settle !== null) return this.#settle(node, settle);
    const inline = isFunction(callee) ? callee : null;
    const receiver =
      ts.isPropertyAccessExpression(callee) || ts.isElementAccessExpression(callee)
        ? this.#value(callee.expression)
        : null;
    const place = inline !== null ? UNKNOWN : this.#calleePlace(callee, receiver);
    const name = calleeName(callee);
    const checked = ASSERTING.test(callee.getText()) ? node.arguments[0] : undefined;
    if (checked !== undefined) return this.#assert(node, checked);
    const skipped = this.#unlessNothing(node, callee, place, receiver);
    const args = this.#arguments(node.arguments);
    const isAnswer = receiver !== null && node.arguments.length === 0 && ANSWERING.test(name);
    const to = isAnswer ? property(receiver, `${name}()`) : this.#temporary();
    this.#emit(
      {
        kind: 'call',
        call: { node, isNew: false, callee: place, receiver, name, ...args, inline, to, mode },
      },
      node,
    );
    this.#tails = [...this.#tails, ...skipped];
    return to;
  }

  /** `a?.b()` and `f?.()`: the way past the call, for nothing. */
  #unlessNothing(
    node: ts.CallExpression,
    callee: ts.Expression,
    place: Place,
    receiver: Place | null,
  ): Tail[] {
    const isOptional = ts.isPropertyAccessExpression(callee) && callee.questionDotToken !== undefined;
    const tested = isOptional ? receiver : node.questionDotToken === undefined ? null : place;
    if (tested === null || !isPlace(tested)) return [];
    const { yes, no } = this.#branch({ kind: 'nullish', place: tested }, node);
    this.#tails = no;
    return yes;
  }

  /** `assert(client)` throws unless it is true. */
  #assert(node: ts.CallExpression, condition: ts.Expression): Place {
    const { yes, no } = this.#condition(condition);
    this.#tails = no;
    this.#emit({ kind: 'throw', rejects: false }, node);
    this.#tails = yes;
    for (const one of node.arguments.slice(1)) this.#value(one);
    return '=undefined';
  }

  #calleePlace(callee: ts.Expression, receiver: Place | null): Place {
    if (ts.isPropertyAccessExpression(callee)) return property(receiver ?? UNKNOWN, callee.name.text);
    if (ts.isIdentifier(callee)) return this.#named(callee);
    if (ts.isElementAccessExpression(callee)) {
      const key = this.#value(callee.argumentExpression);
      return property(receiver ?? UNKNOWN, key.startsWith('="') ? String(JSON.parse(key.slice(1))) : ELEMENT);
    }
    return this.#value(callee);
  }

  #arguments(given: readonly ts.Expression[]): Pick<Call, 'args' | 'closures'> {
    const args: Place[] = [];
    const closures: (ts.SignatureDeclaration | null)[] = [];
    for (const one of given) {
      const inner = withoutParentheses(ts.isSpreadElement(one) ? one.expression : one);
      closures.push(isFunction(inner) ? inner : null);
      const value = this.#value(inner);
      args.push(ts.isSpreadElement(one) ? property(value, ELEMENT) : value);
    }
    return { args, closures };
  }

  #new(node: ts.NewExpression, mode: Mode): Place {
    const executor = node.arguments?.[0];
    const callee = withoutParentheses(node.expression);
    const to = this.#temporary();
    if (
      ts.isIdentifier(callee) &&
      callee.text === 'Promise' &&
      executor !== undefined &&
      isFunction(executor)
    ) {
      promised.set(executor, to);
      const args = { args: [], closures: [] };
      this.#emit(
        {
          kind: 'call',
          call: {
            node,
            isNew: false,
            callee: UNKNOWN,
            receiver: null,
            name: '',
            ...args,
            inline: executor,
            to: UNKNOWN,
            mode,
          },
        },
        node,
      );
      return to;
    }
    const place = this.#value(callee);
    const args = this.#arguments(node.arguments ?? []);
    const name = calleeName(callee);
    this.#emit(
      {
        kind: 'call',
        call: { node, isNew: true, callee: place, receiver: null, name, ...args, inline: null, to, mode },
      },
      node,
    );
    return to;
  }

  #tagged(node: ts.TaggedTemplateExpression, mode: Mode): Place {
    const receiver = ts.isPropertyAccessExpression(node.tag) ? this.#value(node.tag.expression) : null;
    const callee = this.#calleePlace(node.tag, receiver);
    const spans = ts.isTemplateExpression(node.template) ? node.template.templateSpans : [];
    const args = this.#arguments(spans.map(({ expression }) => expression));
    const to = this.#temporary();
    const name = calleeName(node.tag);
    this.#emit(
      { kind: 'call', call: { node, isNew: false, callee, receiver, name, ...args, inline: null, to, mode } },
      node,
    );
    return to;
  }

  /** Whether a name is the `resolve` or `reject` of a promise's executor around it. */
  #settles(callee: ts.Identifier): { readonly to: Place; readonly rejects: boolean } | null {
    const variable = variableOf(callee);
    if (variable === null || !ts.isParameter(variable.declaration) || !isFunction(variable.owner))
      return null;
    const to = promised.get(variable.owner);
    if (to === undefined) return null;
    return { to, rejects: variable.owner.parameters.indexOf(variable.declaration) === 1 };
  }

  #settle(
    node: ts.CallExpression,
    { to, rejects }: { readonly to: Place; readonly rejects: boolean },
  ): Place {
    for (const one of node.arguments) {
      const value = this.#value(one);
      if (!rejects) this.#copy(to, value, node);
    }
    if (rejects) {
      const before = this.#thrown;
      this.#thrown = THROWN;
      this.#emit({ kind: 'throw', rejects: true }, node);
      this.#thrown = before;
      this.#tails = [];
    }
    return '=undefined';
  }

  /**
   * `a.then(f, g)`, `a.catch(g)`, `a.finally(h)` as the try statement that it stands for. What is thrown in a chain
   * that nobody awaits goes nowhere; one that is returned leaves the function past all handlers.
   */
  #chain(node: ts.CallExpression, callee: ts.PropertyAccessExpression, mode: Mode): Place {
    const before = this.#thrown;
    const unhandled = this.#label(node);
    const outer = mode === 'awaited' ? before : mode === 'returned' ? THROWN : unhandled;
    const [first, second] = node.arguments;
    const method = callee.name.text;
    const onSuccess = method === 'then' ? first : undefined;
    const onFailure = method === 'then' ? second : method === 'catch' ? first : undefined;
    const to = this.#temporary();

    const landing = onFailure === undefined && method !== 'finally' ? outer : this.#label(node);
    this.#thrown = landing;
    const base = withoutParentheses(callee.expression);
    let value = this.#value(base, 'awaited');
    if (!ts.isCallExpression(base) && !ts.isNewExpression(base))
      this.#emit({ kind: 'await', from: value }, base);
    this.#thrown = outer;
    if (onSuccess !== undefined) value = this.#handler(onSuccess, [value], node);
    if (method === 'finally' && first !== undefined) this.#handler(first, [], node);
    this.#copy(to, value, node, true);
    const after = this.#tails;

    this.#tails = landing === outer ? [] : [{ node: landing, way: 0 }];
    if (onFailure !== undefined && landing !== outer) {
      this.#copy(to, this.#handler(onFailure, ['=object'], node), node, true);
    } else if (method === 'finally' && first !== undefined) {
      this.#handler(first, [], node);
      this.#connect(outer);
    }
    this.#thrown = before;
    this.#tails = [...this.#tails, ...after];
    this.#join(unhandled);
    return to;
  }

  /** Calls what was given to a promise; what that returns is awaited. */
  #handler(given: ts.Expression, args: readonly Place[], node: ts.CallExpression): Place {
    const inner = withoutParentheses(given);
    if (isNothing(inner)) return args[0] ?? UNKNOWN;
    const to = this.#temporary();
    const isInline = isFunction(inner);
    const receiver = ts.isPropertyAccessExpression(inner) ? this.#value(inner.expression) : null;
    const callee = isInline ? UNKNOWN : this.#calleePlace(inner, receiver);
    const call: Call = {
      node,
      isNew: false,
      callee,
      receiver,
      name: calleeName(inner),
      args,
      closures: args.map(() => null),
      inline: isInline ? inner : null,
      to,
      mode: 'awaited',
    };
    this.#emit({ kind: 'call', call }, inner);
    return to;
  }
}

function usesOf(op: Op): readonly Place[] {
  switch (op.kind) {
    case 'copy':
      return isPlace(op.from) ? [op.from] : [];
    case 'branch':
      if (op.test.kind === 'same') return [op.test.left, op.test.right].filter(isPlace);
      return 'place' in op.test && isPlace(op.test.place) ? [op.test.place] : [];
    case 'call':
      return op.call.args.filter(isPlace);
    default:
      return [];
  }
}

const ASSERTING = /^(assert|invariant|(?:node)?assert\.(ok|strict))$/i;
/** A question that has the same answer as long as nothing else happens. */
const ANSWERING = /^(getStore|(is|has|should|can)[A-Z]\w*)$/;

/** The place that the promise of an executor has its value in. */
const promised = new WeakMap<ts.SignatureDeclaration, Place>();

function shortTest(token: ts.SyntaxKind, place: Place): Test {
  if (!isPlace(place) && place === UNKNOWN) return { kind: 'opaque' };
  switch (token) {
    case ts.SyntaxKind.QuestionQuestionToken:
    case ts.SyntaxKind.QuestionQuestionEqualsToken:
      return { kind: 'nullish', place };
    case ts.SyntaxKind.AmpersandAmpersandToken:
    case ts.SyntaxKind.AmpersandAmpersandEqualsToken:
      return { kind: 'truthy', place };
    default:
      return { kind: 'falsy', place };
  }
}

function isUsing(list: ts.VariableDeclarationList): boolean {
  const kind = list.flags & ts.NodeFlags.BlockScoped;
  return kind === ts.NodeFlags.Using || kind === ts.NodeFlags.AwaitUsing;
}

function isNothing(expression: ts.Expression): boolean {
  return (
    expression.kind === ts.SyntaxKind.NullKeyword ||
    (ts.isIdentifier(expression) && expression.text === 'undefined') ||
    ts.isVoidExpression(expression)
  );
}

function withoutParentheses(expression: ts.Expression): ts.Expression {
  let inner = expression;
  while (
    ts.isParenthesizedExpression(inner) ||
    ts.isNonNullExpression(inner) ||
    ts.isAsExpression(inner) ||
    ts.isSatisfiesExpression(inner)
  ) {
    inner = inner.expression;
  }
  return inner;
}

function calleeName(callee: ts.Expression): string {
  if (ts.isIdentifier(callee)) return callee.text;
  if (ts.isPropertyAccessExpression(callee)) return callee.name.text;
  if (ts.isElementAccessExpression(callee) && ts.isStringLiteralLike(callee.argumentExpression)) {
    return callee.argumentExpression.text;
  }
  return '';
}
