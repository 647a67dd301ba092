# Runs one Postgres on an existing data folder for as long as its standard input stays open.
#
#   sh server.sh BINDIR DIR
#
# As in cluster.sh the pipe closes when the test process ends, however that happens; then the files go too. The word
# "keep" before that stops the server and leaves them: it is to be started again.
set -eu
bin=$1
dir=$2

# Durable, as in production: this one is killed, and must have what it said it has.
"$bin/postgres" -D "$dir/data" -c listen_addresses='' -c unix_socket_directories="$dir" -c max_connections=200 &
postgres=$!
echo "$postgres" >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"

word=
read -r word || :
kill -QUIT "$postgres" 2>/dev/null || :
wait "$postgres" || :
[ "$word" = keep ] || rm -rf "$dir"
