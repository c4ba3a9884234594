"""The scripts with which shells complete: click's, with what they lack.

A folder leads on, so no space follows it, nor what ends in ``=``; bash quotes names with spaces;
zsh is set up to complete at all; fish shows what is said of a word past its first comma. Values
behind ``--option=`` are whole words.
"""

from __future__ import annotations

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

__all__ = ["SHELLS", "use_ours"]


class _WholeWords(ShellComplete):
    """Offers whole words, where click offers values alone behind ``--option=``."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return what may stand in place of a word that was begun."""
        found = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if equals and option.startswith("--"):
            for item in found:
                item.value = f"{option}={item.value}"
        return found


class _Bash(_WholeWords, BashComplete):
    # To bash a colon ends a word; references have them. So does an equals sign, on which other
    # commands rely: its parts are joined, and what bash has before the last one is not repeated.
    source_template = r"""
COMP_WORDBREAKS=${COMP_WORDBREAKS//:}
%(complete_func)s() {
    local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} line type value
    local words=() part before= joins=
    for part in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ -n $words && ( -n $joins || $part == = ) ]]; then
            words[${#words[@]}-1]+=$part
        else
            words+=("$part")
            before=
        fi
        joins=
        if [[ $part == = ]]; then
            joins=yes
            before=${words[${#words[@]}-1]}
        fi
    done
    COMPREPLY=()
    for line in $(COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]}-1)) \
        %(complete_var)s=bash_complete "$1"); do
        IFS=',' read -r type value <<< "$line"
        [[ $type == plain ]] || continue
        value=${value#"$before"}
        if [[ $word != [\'\"]* ]]; then
            printf -v value '%%q' "$value"
            value=${value/#'\~/'/'~/'}
        fi
        COMPREPLY+=("$value")
    done
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Zsh(_WholeWords, ZshComplete):
    source_template = ZshComplete.source_template.replace(
        "        compadd -U -V unsorted -a completions\n",
        "        compadd -U -S '' -V unsorted -- ${(M)completions:#*[/=]}\n"
        "        compadd -U -V unsorted -- ${completions:#*[/=]}\n",
    ).replace(
        "    compdef ",
        "    (( $+functions[compdef] )) || { autoload -Uz compinit; compinit }\n    compdef ",
    )


class _Fish(_WholeWords, FishComplete):
    source_template = FishComplete.source_template.replace(
        'string split ","', 'string split --max 1 ","'
    )


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
"""By name."""


def use_ours() -> None:
    """Have click answer the scripts by these classes."""
    for name, shell in SHELLS.items():
        add_completion_class(shell, name)
