import { catalogOf } from '../src/cli/catalog.js';
import { defineCommand, requiredArgument } from '../src/cli/command.js';
import { bashScript } from '../src/cli/completion/bash.js';
import { fishScript } from '../src/cli/completion/fish.js';
import { completionWords } from '../src/cli/completion/words.js';
import { zshScript } from '../src/cli/completion/zsh.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { choice } from '../src/cli/value-types.js';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export const command = defineCommand({
  name: 'completion',
  summary: 'print a script that completes commands, options and values in a shell',
  description: `Prints a completion script. It contains all commands and options, so completing starts no program. Print it again
after an update of poolctl.`,
  arguments: {
    shell: requiredArgument({
      summary: 'the shell: bash, zsh or fish',
      type: choice(['bash', 'zsh', 'fish']),
    }),
  },
  options: {},
  examples: [
    { command: 'source <(poolctl completion bash)', meaning: 'In ~/.bashrc' },
    { command: 'source <(poolctl completion zsh)', meaning: 'In ~/.zshrc, after compinit' },
    { command: 'poolctl completion fish | source', meaning: 'In ~/.config/fish/config.fish' },
  ],
  async run({ arguments: { shell }, commands, write }) {
    await write(SCRIPTS[shell](completionWords(commands, await catalogOf(commands))));
    return ExitCode.Ok;
  },
});
