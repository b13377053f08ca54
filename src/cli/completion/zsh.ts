import type { CompletedCommand, CompletedOption, Completion, CompletionWords } from './words.js';

/** The script for zsh: a file named _poolctl in a folder of $fpath, or loaded by source. */
export function zshScript({ first, commands }: CompletionWords): string {
  return `#compdef poolctl
# zsh completion for poolctl. Load it with: source <(poolctl completion zsh)

${commands.map(commandFunction).join('\n')}
${first
  .filter(({ seconds }) => seconds.length > 0)
  .map(
    ({ name, seconds }) => `_poolctl-${name}() {
  local -a words_of=(
${seconds.map((one) => `    ${described(one.name, one.summary)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe -t commands 'command' words_of
  elif (( $+functions[_poolctl-${name}-$words[2]] )); then
    local second=$words[2]
    shift words
    (( CURRENT-- ))
    _poolctl-${name}-$second
  fi
}
`,
  )
  .join('\n')}
_poolctl() {
  local -a commands_of=(
${first.map(({ name, summary }) => `    ${described(name, summary)}`).join('\n')}
  )
  if (( CURRENT == 2 )) || [[ $words[2] == help ]]; then
    _describe -t commands 'command' commands_of
  elif (( $+functions[_poolctl-$words[2]] )); then
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    _poolctl-$command
  fi
}

# Loaded by source, or by the completion system itself.
if [[ $funcstack[1] == _poolctl ]]; then _poolctl "$@"; else compdef _poolctl poolctl; fi
`;
}

function commandFunction({ name, options, arguments: given }: CompletedCommand): string {
  const specs = [
    ...options.flatMap(optionSpecs),
    ...given.map(({ name: argument, variadic, completion }, at) =>
      quoted(`${variadic ? '*' : at + 1}:${escaped(argument)}:${actionOf(completion)}`),
    ),
  ];
  return `_poolctl-${name.replace(' ', '-')}() {
  _arguments -S ${specs.map((spec) => `\\\n    ${spec}`).join(' ')}
}
`;
}

function optionSpecs({ flag, short, summary, repeatable, value }: CompletedOption): string[] {
  const names = short === null ? [flag] : [flag, short];
  return names.map((name) => {
    const others = repeatable ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
    const takes = value === null ? '' : `:${escaped(value.placeholder)}:${actionOf(value.completion)}`;
    // --name=value and --name value, -f value.
    const form = value === null ? name : name.startsWith('--') ? `${name}=` : `${name}+`;
    return quoted(`${others}${form}[${escaped(summary)}]${takes}`);
  });
}

function actionOf(completion: Completion): string {
  if (completion === 'none') return ' ';
  if (completion === 'file') return '_files';
  if (completion === 'folder') return '_files -/';
  return `(${completion.map((word) => word.replace(/[\s()\\:]/g, '\\$&')).join(' ')})`;
}

function described(name: string, summary: string): string {
  return quoted(`${escaped(name)}:${summary}`);
}

function escaped(text: string): string {
  return text.replace(/[\\:[\]]/g, '\\$&');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
