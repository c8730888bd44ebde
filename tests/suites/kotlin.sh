# The Kotlin SDK: its rules on virtual time; itself and its examples against the real server.
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release
{ command -v javac && command -v mvn; } >/dev/null || apt_package default-jdk-headless maven

kotlin=client/kotlin

# surefire REPORT: runs the tests, and puts what Surefire reports into one file.
surefire() {
    local reports=$kotlin/target/surefire-reports status=0
    rm -rf "$reports"
    mvn -B -f "$kotlin" surefire:test || status=$?
    cat "$reports"/TEST-*.xml >"$1"
    return $status
}

# By Maven, which fetches from where the rest comes from.
install_ktlint() {
    mvn -B -q dependency:copy -Dartifact=com.pinterest.ktlint:ktlint-cli:1.8.0:jar:all -DoutputDirectory="$1"
}

check "ktlint" java -jar "$(tool ktlint-1.8.0 install_ktlint)/ktlint-cli-1.8.0-all.jar" --relative \
    "$kotlin/src/**/*.kt" "$kotlin/examples/*.kt" "interop/adapters/*kotlin/src/*.kt"
check "the Kotlin SDK builds" maven -f "$kotlin" -DskipTests package
junit "the Kotlin SDK" "$CARGO_TARGET_DIR/kotlin.xml" surefire "$CARGO_TARGET_DIR/kotlin.xml"
