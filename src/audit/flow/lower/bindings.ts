import { ts } from 'ts-morph';
import { bare } from '../../code/syntax.js';
import { ELEMENT, type Place, property } from '../place.js';
import { lowerValue, placeOf } from './expressions.js';
import type { Lowering } from './lowering.js';

export function declare(flow: Lowering, declaration: ts.VariableDeclaration): void {
  if (declaration.initializer === undefined) {
    // The variable of a for-of has its value from the loop.
    if (ts.isVariableDeclarationList(declaration.parent) && !ts.isForOfStatement(declaration.parent.parent)) {
      bindName(flow, declaration.name, '=undefined', declaration, false);
    }
    return;
  }
  bindName(flow, declaration.name, lowerValue(flow, declaration.initializer), declaration, true);
}

export function bindParameter(flow: Lowering, parameter: ts.ParameterDeclaration): Place {
  let place: Place;
  if (ts.isIdentifier(parameter.name)) place = placeOf(flow, parameter.name);
  else place = flow.temporary();
  if (parameter.initializer !== undefined) defaultValue(flow, place, parameter.initializer);
  if (!ts.isIdentifier(parameter.name)) bindName(flow, parameter.name, place, parameter, false);
  else if (ts.isParameterPropertyDeclaration(parameter, parameter.parent)) {
    flow.copy(property('this', parameter.name.text), place, parameter);
  }
  return place;
}

export function defaultValue(flow: Lowering, place: Place, value: ts.Expression): void {
  const { yes, no } = flow.branch({ kind: 'nullish', place }, value);
  flow.tails = yes;
  flow.copy(place, lowerValue(flow, value), value, true);
  flow.tails.push(...no);
}

export function bindName(
  flow: Lowering,
  name: ts.BindingName | ts.Expression,
  from: Place,
  ast: ts.Node,
  move: boolean,
): void {
  if (ts.isIdentifier(name)) {
    flow.copy(placeOf(flow, name), from, ast, move && from.includes('|%') && !from.includes('.'));
  } else if (ts.isObjectBindingPattern(name)) {
    for (const element of name.elements) {
      const key = element.propertyName ?? element.name;
      const text = ts.isIdentifier(key) || ts.isStringLiteralLike(key) ? key.text : ELEMENT;
      const source = element.dotDotDotToken === undefined ? property(from, text) : from;
      bindElement(flow, element, source);
    }
  } else if (ts.isArrayBindingPattern(name)) {
    name.elements.forEach((element, index) => {
      if (ts.isOmittedExpression(element)) return;
      const rest = element.dotDotDotToken !== undefined;
      bindElement(flow, element, rest ? from : property(from, String(index)));
    });
  } else assignTo(flow, name, from, ast);
}

export function bindElement(flow: Lowering, element: ts.BindingElement, source: Place): void {
  if (element.initializer === undefined) {
    bindName(flow, element.name, source, element, false);
    return;
  }
  const value = flow.temporary();
  flow.copy(value, source, element);
  defaultValue(flow, value, element.initializer);
  bindName(flow, element.name, value, element, false);
}

/** Assignment to what may be a pattern: `[a, { b }] = x`. */
export function assignTo(flow: Lowering, target: ts.Expression, from: Place, ast: ts.Node): Place {
  const inner = bare(target);
  if (ts.isIdentifier(inner)) {
    const to = placeOf(flow, inner);
    flow.copy(to, from, ast, from.includes('|%') && !from.includes('.'));
    return to;
  }
  if (ts.isPropertyAccessExpression(inner) || ts.isElementAccessExpression(inner)) {
    const to = lowerValue(flow, inner);
    flow.copy(to, from, ast, from.includes('|%') && !from.includes('.'));
    return to;
  }
  if (ts.isArrayLiteralExpression(inner)) {
    inner.elements.forEach((one, index) => {
      if (!ts.isOmittedExpression(one)) assignTo(flow, one, property(from, String(index)), ast);
    });
  } else if (ts.isObjectLiteralExpression(inner)) {
    for (const one of inner.properties) {
      if (ts.isShorthandPropertyAssignment(one)) assignTo(flow, one.name, property(from, one.name.text), ast);
      else if (ts.isPropertyAssignment(one)) {
        assignTo(flow, one.initializer, property(from, one.name.getText()), ast);
      }
    }
  } else if (ts.isBinaryExpression(inner)) assignTo(flow, inner.left, from, ast);
  return from;
}
