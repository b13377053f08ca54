import type { CompletedOption, Completion, CompletionWords } from './words.js';

/** The script for bash. */
export function bashScript({ first, commands }: CompletionWords): string {
  const groups = first.filter(({ seconds }) => seconds.length > 0);
  const valued = (option: CompletedOption) => [option.flag, option.short].filter((one) => one !== null);
  return `# bash completion for poolctl. Load it with: source <(poolctl completion bash)

_poolctl_second_words() {
  case $1 in
${groups.map(({ name, seconds }) => `    ${name}) echo ${quoted(seconds.map((one) => one.name).join(' '))} ;;`).join('\n')}
  esac
}

_poolctl_options() {
  case $1 in
${commands.map(({ name, options }) => `    ${quoted(name)}) echo ${quoted(options.map(({ flag }) => flag).join(' '))} ;;`).join('\n')}
  esac
}

# Prints what completes the value of an option: words, @file, @folder, or @none. Prints nothing for a switch.
_poolctl_value() {
  case "$1 $2" in
${commands
  .flatMap(({ name, options }) =>
    options.flatMap((option) =>
      option.value === null
        ? []
        : [
            `    ${valued(option)
              .map((flag) => quoted(`${name} ${flag}`))
              .join('|')}) echo ${quoted(codeOf(option.value.completion))} ;;`,
          ],
    ),
  )
  .join('\n')}
  esac
}

_poolctl_argument() {
  case $1 in
${commands
  .flatMap(({ name, arguments: [argument] }) =>
    argument === undefined ? [] : [`    ${quoted(name)}) echo ${quoted(codeOf(argument.completion))} ;;`],
  )
  .join('\n')}
  esac
}

_poolctl_reply() {
  case $1 in
    @file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    @folder) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    @none) COMPREPLY=() ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2") ;;
  esac
}

_poolctl() {
  COMPREPLY=()
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} at=1 command value seconds i
  # Bash takes --format=json for three words.
  if [[ $current == = ]]; then current=''; elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  [[ \${COMP_WORDS[1]} == help ]] && at=2
  if (( COMP_CWORD <= at )); then
    local words=${quoted(first.map(({ name }) => name).join(' '))}
    (( at == 1 )) && words+=' --help --version'
    _poolctl_reply "$words" "$current"
    return
  fi
  command=\${COMP_WORDS[at]}
  seconds=$(_poolctl_second_words "$command")
  if [[ -n $seconds ]]; then
    if (( COMP_CWORD == at + 1 )); then _poolctl_reply "$seconds --help" "$current"; return; fi
    command+=" \${COMP_WORDS[at+1]}"
  fi
  (( at == 2 )) && return
  for (( i = 1; i < COMP_CWORD; i++ )); do
    if [[ \${COMP_WORDS[i]} == -- ]]; then _poolctl_reply @file "$current"; return; fi
  done
  value=$(_poolctl_value "$command" "$previous")
  if [[ -n $value ]]; then _poolctl_reply "$value" "$current"
  elif [[ $current == -* ]]; then _poolctl_reply "$(_poolctl_options "$command")" "$current"
  else
    value=$(_poolctl_argument "$command")
    if [[ -n $value ]]; then _poolctl_reply "$value" "$current"; fi
  fi
}

complete -F _poolctl poolctl
`;
}

function codeOf(completion: Completion): string {
  return typeof completion === 'string' ? `@${completion}` : completion.join(' ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
