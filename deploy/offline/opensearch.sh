# shellcheck shell=bash disable=SC2154
# OpenSearch without its image: the modules that Maven Central has, as a home directory.

opensearch() {
  command -v java >/dev/null || fail 3 'OpenSearch needs Java 17 or newer' 'On Debian run: apt-get install openjdk-17-jre-headless'
  command -v mvn >/dev/null || fail 3 'Maven fetches OpenSearch' 'On Debian run: apt-get install maven'
  step opensearch "$(content_hash "$here/offline/opensearch.sh" "$here/offline/opensearch.pom.xml" "$opensearch_version $log4j_version")" \
    build_opensearch
  say "OpenSearch $opensearch_version is in $stack/opensearch"
}
has_opensearch() { [ -f "$stack/opensearch/lib/opensearch-$opensearch_version.jar" ]; }

# Everything is in lib except the transport over TCP and HTTP, which OpenSearch loads as a module of its own.
build_opensearch() {
  local work home netty
  make_workdir
  home=$work/opensearch netty=$work/opensearch/modules/transport-netty4
  mkdir -p "$home/lib" "$home/bin" "$home/plugins" "$netty"
  mvn --batch-mode --quiet --file "$here/offline/opensearch.pom.xml" dependency:copy-dependencies \
    -Dopensearch.version="$opensearch_version" -Dlog4j.version="$log4j_version" -DoutputDirectory="$home/lib"
  mv "$home"/lib/netty-*.jar "$home"/lib/transport-netty4-client-*.jar "$netty/"
  cat >"$netty/plugin-descriptor.properties" <<DESCRIPTOR
name=transport-netty4
description=Transport and HTTP over Netty
version=$opensearch_version
opensearch.version=$opensearch_version
java.version=11
classname=org.opensearch.transport.Netty4Plugin
DESCRIPTOR
  printf 'grant { permission java.security.AllPermission; };\n' >"$netty/plugin-security.policy"
  rm -rf "$stack/opensearch"
  mv "$home" "$stack/opensearch"
}
