# Runs one throw-away Postgres cluster for as long as its standard input stays open.
#
#   sh cluster.sh BINDIR DIR
#
# The test process holds the other end of that pipe and never writes to it: when the process ends, by exit, panic or
# kill -9, the kernel closes the pipe, `read` returns, and the cluster and its files go. This needs no exit hook, which
# Go's testing lacks, and no Linux-only parent-death signal.
set -eu
bin=$1
dir=$2
trap 'rm -rf "$dir"' EXIT

# No password: the socket's folder is open to this user only (mode 0700), and Postgres listens nowhere else.
"$bin/initdb" --pgdata="$dir/data" --username=posthorn --auth=trust --encoding=UTF8 --no-locale --no-sync

# Durability is switched off because nobody will ever recover this data; it makes a test's commits 10 to 100 times
# faster. What a crash of Postgres itself does is the business of the fault tests.
"$bin/postgres" -D "$dir/data" \
  -c listen_addresses='' -c unix_socket_directories="$dir" \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
  -c max_connections=200 &
postgres=$!

read -r _ || :
# SIGQUIT is Postgres' immediate shutdown: no checkpoint, no waiting for clients.
kill -QUIT "$postgres"
wait "$postgres" || :
