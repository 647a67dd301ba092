# Sourced by the scripts that see to it that something is installed.

# install WHAT PACKAGE...: true if Debian's packages are there afterwards, false where they may not be installed. WHAT is
# what they are for.
install() {
  local what=$1 root=(sudo -n env)
  shift
  if [ "$(id -u)" = 0 ]; then root=(env); fi
  command -v apt-get >/dev/null && "${root[@]}" true 2>/dev/null || return 1
  echo "$what: installing Debian's $* (once, a minute or two)"
  "${root[@]}" apt-get update -q
  "${root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}
