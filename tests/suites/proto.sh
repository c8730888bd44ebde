# The contract is tidy, says more than it declares, and stays compatible with main.
contract=proto/poke/v1/poke.proto

# Half of the contract's lines, or more, are comments: it is the specification.
half_is_comments() {
    awk '/^[[:space:]]*\/\// { comments++ } /[^[:space:]]/ { lines++ }
         END { printf "%d of %d lines are comments\n", comments, lines; exit comments * 2 < lines }' "$contract"
}

# What main holds, as far as this clone knows.
main_branch() {
    local ref
    for ref in origin/main main; do
        if git cat-file -e "$ref:$contract" 2>/dev/null; then
            echo "$ref"
            return
        fi
    done
}

check "buf lint" buf lint
check "buf format" buf format --diff --exit-code
check "half of the contract is comments" half_is_comments
main=$(main_branch)
if [ -n "$main" ]; then
    check "buf breaking against $main" buf breaking --against ".git#ref=$(git rev-parse "$main")"
else
    skip "buf breaking" "this clone has no main branch with a contract"
fi
