/** `bulkhead completion`: a small script a shell; what there is to complete is asked of `bulkhead __complete`. */
import type { CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { nearest } from "../ui/spell.ts";
import type { Verb } from "./verb.ts";

/** Each line of `__complete` is a candidate, a tab, and a description; a lone `:files` asks for file names. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for bulkhead; load it with: source <(bulkhead completion bash)
_bulkhead() {
    local current=\${COMP_WORDS[COMP_CWORD]} words line candidates=()
    # Bash splits at colons and equals signs; the word before the cursor is put together again.
    local text=\${COMP_LINE:0:COMP_POINT}
    read -r -a words <<< "$text"
    [[ $text == *[[:space:]] ]] && words+=("")
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2> /dev/null
            while IFS= read -r line; do candidates+=("$line"); done < <(compgen -f -- "$current")
        else
            candidates+=("\${line%%$'\\t'*}")
        fi
    done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2> /dev/null)
    COMPREPLY=("\${candidates[@]}")
    local last=\${words[-1]} breaks=
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+==
    if [[ -n $breaks && $last == *[$breaks]* ]]; then
        local prefix=\${last%"\${last##*[$breaks]}"} index
        for index in "\${!COMPREPLY[@]}"; do COMPREPLY[index]=\${COMPREPLY[index]#"$prefix"}; done
    fi
    [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace 2> /dev/null
    return 0
}
complete -F _bulkhead bulkhead
`,
  zsh: `#compdef bulkhead
# zsh completion for bulkhead; put it into a folder of $fpath as _bulkhead, or: source <(bulkhead completion zsh)
_bulkhead() {
    local line name text files=0
    local -a candidates
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            files=1
        else
            name=\${line%%$'\\t'*}
            text=\${line#*$'\\t'}
            candidates+=("\${name//:/\\\\:}:$text")
        fi
    done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2> /dev/null)
    (( \${#candidates} )) && _describe 'bulkhead' candidates
    (( files )) && _files
    return 0
}
if [ "$funcstack[1]" = "_bulkhead" ]; then
    _bulkhead "$@"
else
    compdef _bulkhead bulkhead
fi
`,
  fish: `# fish completion for bulkhead; load it with: bulkhead completion fish | source
function __bulkhead_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2> /dev/null | while read -l line
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c bulkhead -f -a "(__bulkhead_complete)"
`,
};

export const SHELLS = Object.keys(SCRIPTS);

export const completionScript = (shell: string): string | undefined => SCRIPTS[shell];

export const completion: Verb<CommonOptions> = async (_context, [shell = ""]) => {
  const script = completionScript(shell);
  if (script === undefined) {
    const near = nearest(shell, SHELLS);
    throw badInput(
      `no completion for \`${shell}\``,
      near === undefined ? `there is ${SHELLS.join(", ")}` : `did you mean \`${near}\`?`,
    );
  }
  return { value: { shell, script }, text: () => script, next: [], exitCode: 0 };
};
