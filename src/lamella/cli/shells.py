"""The scripts with which shells complete: click's, with what they lack.

A folder leads on, so no space follows it; bash quotes names with spaces; zsh is set up to complete
at all; fish shows what is said of a word past its first comma.
"""

from __future__ import annotations

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

__all__ = ["SHELLS"]


class _Bash(BashComplete):
    # To bash a colon ends a word; references have them.
    source_template = r"""
COMP_WORDBREAKS=${COMP_WORDBREAKS//:}
%(complete_func)s() {
    local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} line type value
    COMPREPLY=()
    for line in $(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
        %(complete_var)s=bash_complete "$1"); do
        IFS=',' read -r type value <<< "$line"
        [[ $type == plain ]] || continue
        if [[ $word != [\'\"]* ]]; then
            printf -v value '%%q' "$value"
            value=${value/#'\~/'/'~/'}
        fi
        COMPREPLY+=("$value")
    done
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Zsh(ZshComplete):
    source_template = ZshComplete.source_template.replace(
        "        compadd -U -V unsorted -a completions\n",
        "        compadd -U -S '' -V unsorted -- ${(M)completions:#*/}\n"
        "        compadd -U -V unsorted -- ${completions:#*/}\n",
    ).replace(
        "    compdef ",
        "    (( $+functions[compdef] )) || { autoload -Uz compinit; compinit }\n    compdef ",
    )


class _Fish(FishComplete):
    source_template = FishComplete.source_template.replace(
        'string split ","', 'string split --max 1 ","'
    )


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
"""By name."""
