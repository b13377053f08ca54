import type { CompletedCommand, CompletedOption, Completion, CompletionWords } from './words.js';

/** The script for fish: a file poolctl.fish in ~/.config/fish/completions, or loaded by source. */
export function fishScript({ first, commands }: CompletionWords): string {
  const groups = first.filter(({ seconds }) => seconds.length > 0);
  return `# fish completion for poolctl. Load it with: poolctl completion fish | source

# Whether these are the words behind poolctl, and no more of them where -n is given.
function __poolctl_at
    set -l words (commandline -opc)[2..-1]
    if test "$argv[1]" = -n
        test "$words" = "$argv[2..-1]"
        return
    end
    set -l length (count $argv)
    test (count $words) -ge $length; and test "$words[1..$length]" = "$argv"
end

complete -c poolctl -f
${first
  .flatMap(({ name, summary }) => [
    `complete -c poolctl -n '__poolctl_at -n' -a ${quoted(name)} -d ${quoted(summary)}`,
    ...(name === 'help'
      ? []
      : [`complete -c poolctl -n '__poolctl_at -n help' -a ${quoted(name)} -d ${quoted(summary)}`]),
  ])
  .join('\n')}
complete -c poolctl -n '__poolctl_at -n' -l help -s h -d 'show this help'
complete -c poolctl -n '__poolctl_at -n' -l version -s V -d 'print the version'
${groups
  .flatMap(({ name, seconds }) =>
    seconds.map(
      (one) =>
        `complete -c poolctl -n '__poolctl_at -n ${name}' -a ${quoted(one.name)} -d ${quoted(one.summary)}`,
    ),
  )
  .join('\n')}
${commands.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ name, options, arguments: [argument] }: CompletedCommand): string[] {
  const start = `complete -c poolctl -n '__poolctl_at ${name}'`;
  return [
    ...options.map((option) => `${start} ${optionPart(option)}`),
    ...(argument === undefined || argument.completion === 'none'
      ? []
      : [`${start} ${partOf(argument.completion, false)}`]),
  ];
}

function optionPart({ flag, short, summary, value }: CompletedOption): string {
  const names = `-l ${flag.slice(2)}${short === null ? '' : ` -s ${short.slice(1)}`}`;
  return `${names}${value === null ? '' : ` ${partOf(value.completion, true)}`} -d ${quoted(summary)}`;
}

function partOf(completion: Completion, isValue: boolean): string {
  if (completion === 'none') return '-x';
  if (completion === 'file') return isValue ? '-r -F' : '-F';
  const words = completion === 'folder' ? '(__fish_complete_directories)' : completion.join(' ');
  return `${isValue ? '-x ' : ''}-a ${quoted(words)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
