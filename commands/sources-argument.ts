import { restArguments } from '../src/cli/command.js';
import { text } from '../src/cli/value-types.js';
import { SOURCE_FORMS } from '../src/sources/registry.js';

/** What is looked at: by `top`, and by `health`. */
export const sourcesArgument = {
  sources: restArguments({
    summary: `${SOURCE_FORMS}; pool: alone, or none at all: the applications of this user that publish their pools`,
    type: text('SOURCE'),
  }),
};
