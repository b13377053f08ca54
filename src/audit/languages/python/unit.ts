import { ts } from 'ts-morph';
import type { SourceUnit } from '../../code/unit.js';
import type { PythonModules } from './modules.js';
import { type Translated, translate } from './translate.js';

/** A Python file, translated when its code is first read. */
export function pythonUnit(
  place: Pick<SourceUnit, 'index' | 'path' | 'name' | 'source' | 'language'>,
  modules: PythonModules,
): SourceUnit {
  let done: Translated | null = null;
  const translated = (): Translated => {
    done ??= translate(place.source, place.path, modules);
    return done;
  };
  return {
    ...place,
    kind: ts.ScriptKind.TS,
    get text() {
      return translated().text;
    },
    toSource: (position) => translated().toSource(position),
  };
}
